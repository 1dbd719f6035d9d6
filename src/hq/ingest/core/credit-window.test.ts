import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCreditWindow } from './credit-window.ts';

const PLENTY = Number.POSITIVE_INFINITY;

function windowOf(frames: number, bytes = PLENTY) {
  const window = createCreditWindow();
  window.announce({ frames, bytes });
  return window;
}
const admitted = (window: ReturnType<typeof windowOf>, frames: number, bytes = 100) =>
  Array.from({ length: frames }, () => window.admit(bytes)).filter(Boolean).length;

describe('credit', () => {
  it('of 8 frames takes 8 of 250', () => {
    expect(admitted(windowOf(8), 250)).toBe(8);
  });

  it('is there again for each that was answered', () => {
    const window = windowOf(8);
    admitted(window, 250);
    for (let answers = 0; answers < 3; answers += 1) window.answered(100);
    expect(admitted(window, 250)).toBe(3);
  });

  it('of bytes takes what fits, and one frame whatever its size when it is alone', () => {
    expect(admitted(windowOf(8, 350), 8)).toBe(3);
    expect(admitted(windowOf(8, 350), 8, 1_000)).toBe(1);
    expect(admitted(windowOf(0, 350), 1, 10)).toBe(0);
  });

  it('that goes down leaves what was under way, and no more', () => {
    const window = windowOf(8);
    expect(admitted(window, 2)).toBe(2);
    window.announce({ frames: 0, bytes: 0 });
    expect(admitted(window, 250)).toBe(6);
    for (let answers = 0; answers < 8; answers += 1) window.answered(100);
    expect(admitted(window, 250)).toBe(0);
  });

  it('never refuses an agent that keeps to what it was told, and never has more in flight than was ever allowed', () => {
    // An agent that sends all it may; messages keep their order both ways and take their time.
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), bytes: fc.integer({ min: 1, max: 100 }) }),
      fc.constant({ kind: 'arrive' as const }),
      fc.constant({ kind: 'answer' as const }),
      fc.constant({ kind: 'hear' as const }),
      fc.record({
        kind: fc.constant('announce' as const),
        frames: fc.integer({ min: 0, max: 8 }),
        bytes: fc.integer({ min: 100, max: 500 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const window = createCreditWindow();
        const up: number[] = [];
        const down: ({ readonly answer: number } | { readonly frames: number; readonly bytes: number })[] =
          [];
        const held: number[] = [];
        let told = { frames: 0, bytes: 0 };
        const flight = { frames: 0, bytes: 0 };
        for (const one of steps) {
          if (one.kind === 'send') {
            if (flight.frames + 1 > told.frames || flight.bytes + one.bytes > told.bytes) continue;
            up.push(one.bytes);
            flight.frames += 1;
            flight.bytes += one.bytes;
          } else if (one.kind === 'arrive') {
            const bytes = up.shift();
            if (bytes === undefined) continue;
            expect(window.admit(bytes)).toBe(true);
            held.push(bytes);
            expect(held.length).toBeLessThanOrEqual(8);
          } else if (one.kind === 'answer') {
            const bytes = held.shift();
            if (bytes === undefined) continue;
            window.answered(bytes);
            down.push({ answer: bytes });
          } else if (one.kind === 'announce') {
            window.announce(one);
            down.push({ frames: one.frames, bytes: one.bytes });
          } else {
            const message = down.shift();
            if (message === undefined) continue;
            if ('answer' in message) {
              flight.frames -= 1;
              flight.bytes -= message.answer;
            } else told = message;
          }
        }
      }),
    );
  });
});
