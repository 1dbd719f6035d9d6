import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { untilSilent } from '../../src/agent/uplink/silence.ts';

function watch(limit: { ms: number }) {
  const scheduler = new VirtualTimeScheduler();
  let signs = 0;
  const found: { readonly at: number; readonly limit: number }[] = [];
  let completed = false;
  const subscription = untilSilent({ limitMs: () => limit.ms, signs: () => signs, scheduler }).subscribe({
    next: (ms) => found.push({ at: scheduler.frame, limit: ms }),
    complete: () => {
      completed = true;
    },
  });
  return {
    found,
    subscription,
    isCompleted: () => completed,
    sign: () => {
      signs += 1;
    },
    run: (ms: number) => {
      const until = scheduler.frame + ms;
      scheduler.maxFrames = until;
      scheduler.flush();
      scheduler.frame = until;
    },
  };
}

describe('untilSilent', () => {
  it('never: a sign within each limit keeps it quiet for ever', () => {
    const watched = watch({ ms: 800 });
    for (let signs = 0; signs < 50; signs += 1) {
      watched.run(799);
      watched.sign();
    }
    expect(watched.found).toEqual([]);
    expect(watched.isCompleted()).toBe(false);
  });

  it('emits once after the limit without any sign, and completes', () => {
    const watched = watch({ ms: 800 });
    watched.run(799);
    expect(watched.found).toEqual([]);
    watched.run(10_000);
    expect(watched.found).toEqual([{ at: 800, limit: 800 }]);
    expect(watched.isCompleted()).toBe(true);
  });

  it('counts from the last sign: never early, at most an eighth late', () => {
    for (const at of [1, 99, 100, 101, 450, 799]) {
      const watched = watch({ ms: 800 });
      watched.run(at);
      watched.sign();
      watched.run(5_000);
      const [found] = watched.found;
      expect((found?.at ?? 0) - at).toBeGreaterThanOrEqual(800);
      expect((found?.at ?? 0) - at).toBeLessThanOrEqual(900);
    }
  });

  it('follows a limit that changes while it is silent', () => {
    const limit = { ms: 800 };
    const watched = watch(limit);
    watched.run(400);
    limit.ms = 8_000;
    watched.run(7_599);
    expect(watched.found).toEqual([]);
    watched.run(1_000);
    expect(watched.found).toEqual([{ at: 8_500, limit: 8_000 }]);
  });

  it('is over when unsubscribed', () => {
    const watched = watch({ ms: 800 });
    watched.subscription.unsubscribe();
    watched.run(5_000);
    expect(watched.found).toEqual([]);
  });
});
