import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createFifo } from './fifo.ts';

it('gives back what came, in order, however much comes and goes', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 3_000 }) }),
    fc.constant('clear' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const fifo = createFifo<string>();
      let next = 0;
      let oldest = 0;
      const wrong: number[] = [];
      for (const one of steps) {
        if (one === 'clear') {
          fifo.clear();
          oldest = next;
        } else if ('push' in one) for (let n = 0; n < one.push; n += 1, next += 1) fifo.push(String(next));
        else {
          for (let n = 0; n < one.shift; n += 1) {
            const due = oldest < next ? String(oldest) : undefined;
            if (fifo.peek() !== due || fifo.shift() !== due) wrong.push(oldest);
            if (due !== undefined) oldest += 1;
          }
        }
        expect(fifo.size()).toBe(next - oldest);
      }
      expect(wrong).toEqual([]);
    }),
    { numRuns: 30 },
  );
});
