import { expect, it } from 'vitest';
import { decodeAgent, toJson } from './epoch-state.ts';

const RECORD = { agent: 'a', epoch: '0123456789ab', firstSeenTs: 5, ownEpoch: null };

it.each([
  ['of a store that knows of no rhythm', RECORD, undefined],
  ['with a rhythm', { ...RECORD, rhythm: { lastTs: 7, pauses: [5] } }, { lastTs: 7, pauses: [5] }],
  ['with a rhythm that cannot be read', { ...RECORD, rhythm: { lastTs: 7, pauses: [null] } }, undefined],
])('the record of an agent %s is taken', (_what, stored, rhythm) => {
  const record = decodeAgent(toJson(stored));
  expect(record).toMatchObject(RECORD);
  expect(record?.rhythm).toEqual(rhythm);
});
