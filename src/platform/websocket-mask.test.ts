import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mask, unmask } from './websocket-mask.ts';

const plainly = (bytes: Uint8Array, key: Uint8Array) =>
  bytes.map((byte, index) => byte ^ (key[index & 3] ?? 0));

const key = fc.uint8Array({ minLength: 4, maxLength: 4 });
const bytes = fc.uint8Array({ maxLength: 100 });
/** Where in its memory something lies. */
const place = fc.nat(9);

it('gives what the protocol says, wherever the bytes lie and go, and touches no others', () => {
  fc.assert(
    fc.property(bytes, key, place, place, (all, four, from, to) => {
      const source = new Uint8Array(from + all.length).subarray(from);
      source.set(all);
      const output = Buffer.alloc(to + all.length + 5, 7);
      mask(source, four, output, to, all.length);
      expect(output.subarray(to, to + all.length)).toEqual(Buffer.from(plainly(all, four)));
      expect(source).toEqual(all);
      expect([...output.subarray(0, to), ...output.subarray(to + all.length)]).toEqual(
        new Array(to + 5).fill(7),
      );
    }),
  );
});

it('masks in place, and a second time brings back what was there', () => {
  fc.assert(
    fc.property(bytes, key, place, (all, four, from) => {
      const buffer = new Uint8Array(from + all.length).subarray(from);
      buffer.set(all);
      mask(buffer, four, buffer, 0, all.length);
      expect(buffer).toEqual(plainly(all, four));
      unmask(buffer, four);
      expect(buffer).toEqual(all);
    }),
  );
});
