import { of } from 'rxjs';
import { expect, it, vi } from 'vitest';
import type { RhythmRecord } from '../store/rhythm-record.ts';
import { createRhythmKeeper } from './rhythm-keeper.ts';

type Changes = ReadonlyMap<string, RhythmRecord | null>;

function rig() {
  const saveRhythms = vi.fn((_: Changes) => of(undefined) as never);
  const saved = () => saveRhythms.mock.calls.flatMap(([changes]) => [...changes]);
  return { keeper: createRhythmKeeper(saveRhythms), saved };
}

it('writes a rhythm at once when it changes, once a minute while it goes on, and at the end', () => {
  const { keeper, saved } = rig();
  keeper.delivered('a', [], 0);
  keeper.delivered('a', [10_000], 10_000);
  for (let at = 20_000; at <= 60_000; at += 10_000) keeper.delivered('a', [10_000, 10_100], at);
  const written = [
    ['a', { lastTs: 0, pauses: [] }],
    ['a', { lastTs: 10_000, pauses: [10_000] }],
  ];
  expect(saved()).toEqual(written);
  keeper.delivered('a', [10_000, 10_100], 70_000);
  expect(saved()).toHaveLength(3);
  keeper.delivered('a', [10_000, 10_100], 80_000);
  keeper.flush();
  keeper.flush();
  expect(saved().slice(3)).toEqual([['a', { lastTs: 80_000, pauses: [10_000, 10_100] }]]);
});

it('writes nothing of an agent that is retired', () => {
  const { keeper, saved } = rig();
  keeper.delivered('a', [], 0);
  keeper.delivered('a', [], 1);
  keeper.forget('a');
  keeper.flush();
  expect(saved()).toHaveLength(1);
});
