import { expect, it } from 'vitest';
import { decodeAgent, toJson } from './epoch-state.ts';

const RECORD = { agent: 'a', epoch: '0123456789ab', firstSeenTs: 5, ownEpoch: null };

it.each([
  ['of a store that knows of no pauses', RECORD, undefined],
  [
    'with a pause',
    { ...RECORD, paused: { reason: 'way', until: null, ts: 7 } },
    { reason: 'way', until: null, ts: 7 },
  ],
  ['with a pause that cannot be read', { ...RECORD, paused: { reason: 5 } }, undefined],
])('the record of an agent %s is taken', (_what, stored, paused) => {
  const record = decodeAgent(toJson(stored));
  expect(record).toMatchObject(RECORD);
  expect(record?.paused).toEqual(paused);
});
