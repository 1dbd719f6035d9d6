import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  asBuffer,
  parseSeqKey,
  parseTimeKey,
  seqKey,
  seqRange,
  timeKey,
  writeOrderedDouble,
} from './keys.ts';

const bytesOf = (value: number) => {
  const bytes = Buffer.alloc(8);
  writeOrderedDouble(bytes, value, 0);
  return bytes;
};

it('writes times so that their bytes order like they do, before 1970 too', () => {
  const time = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
  fc.assert(
    fc.property(time, time, (a, b) => {
      expect(Math.sign(Buffer.compare(bytesOf(a), bytesOf(b)))).toBe(Math.sign(a - b));
      const key = parseTimeKey(timeKey('a.b', Math.floor(a / 3_600_000), a, 'abcdefabcdef', 7));
      expect(key).toEqual({ hour: Math.floor(a / 3_600_000), tsMin: a, epoch: 'abcdefabcdef', seq: 7 });
    }),
  );
});

it('names a frame by agent, epoch and seq, and keeps agents and epochs apart', () => {
  const key = seqKey('F', 'agent-1', 'ffffffffffff', 2 ** 48 - 1);
  expect(parseSeqKey(key)).toEqual({ agent: 'agent-1', epoch: 'ffffffffffff', seq: 2 ** 48 - 1 });
  const within = (inner: Uint8Array, { from, to }: { from: Uint8Array; to: Uint8Array }) =>
    Buffer.compare(asBuffer(inner), from) >= 0 && Buffer.compare(asBuffer(inner), to) < 0;
  expect(within(key, seqRange('F', 'agent-1', 'ffffffffffff', 0))).toBe(true);
  expect(within(key, seqRange('F', 'agent', 'ffffffffffff', 0))).toBe(false);
  expect(within(key, seqRange('F', 'agent-1', 'fffffffffffe', 0))).toBe(false);
  expect(within(key, seqRange('G', 'agent-1', 'ffffffffffff', 0))).toBe(false);
});
