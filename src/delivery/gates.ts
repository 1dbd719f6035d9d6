/**
 * Writes pause together, by lane: one gate each instead of one backoff a write, or a dozen waiting writes would be a
 * dozen failures. A receiver that can serve nobody closes one gate before all lanes.
 */
import { defer, type MonoTypeOperatorFunction, type SchedulerLike, switchMap, timer } from 'rxjs';
import type { Random } from '../platform/random.ts';
import { type Backoff, backoff } from '../streams/backoff.ts';
import type { RetryVerdict } from '../streams/retry-with.ts';
import { isFailure, type Judge } from './verdict.ts';

export type GatesOptions = {
  readonly judge: Judge<unknown>;
  /** The first pause, ms; each further one is up to twice as long. */
  readonly initialMs: number;
  /** ms; no less than `initialMs`. */
  readonly maxMs: number;
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

export type Gates<L extends string> = {
  /** Whether and when a write of the lane is tried again after its error. Closes the gate. */
  readonly verdictFor: (lane: L) => (error: unknown) => RetryVerdict;
  /** Waits until the lane is open. */
  readonly gated: <T>(lane: L) => MonoTypeOperatorFunction<T>;
  /** A write of the lane has passed: its next pause begins small. */
  readonly passed: (lane: L) => void;
  readonly isAnyWaiting: () => boolean;
};

type Gate = { pause: Backoff | null; opensAt: number };

export function createGates<L extends string>(options: GatesOptions): Gates<L> {
  const { judge, initialMs, maxMs, scheduler, random } = options;
  const all = createGate();
  /** A lane that has to wait for its turn must not keep the others waiting. */
  const lanes = new Map<L, Gate>();
  const gateOf = (lane: L): Gate => {
    const gate = lanes.get(lane) ?? createGate();
    lanes.set(lane, gate);
    return gate;
  };
  return {
    verdictFor: (lane) => (error) => {
      const now = scheduler.now();
      const { verdict, health } = judge(error);
      if (verdict?.kind !== 'retry') return { kind: 'give-up', reason: verdict?.kind ?? 'unknown' };
      const { reason, afterMs = 0 } = verdict;
      const gate = isFailure(health) ? all : gateOf(lane);
      if (gate.opensAt <= now) {
        gate.pause = gate.pause?.next() ?? backoff({ initialMs, maxMs, jitter: 'full' }, random);
        gate.opensAt = now + afterMs + gate.pause.delayMs;
      }
      return { kind: 'retry', reason, afterMs: gate.opensAt - now };
    },
    gated:
      <T>(lane: L): MonoTypeOperatorFunction<T> =>
      (source) =>
        defer(() => {
          const waitMs = Math.max(all.opensAt, gateOf(lane).opensAt) - scheduler.now();
          return waitMs > 0 ? timer(waitMs, scheduler).pipe(switchMap(() => source)) : source;
        }),
    passed: (lane) => {
      all.pause = null;
      gateOf(lane).pause = null;
    },
    isAnyWaiting: () => [...lanes.values()].some(({ pause }) => pause !== null),
  };
}

function createGate(): Gate {
  return { pause: null, opensAt: Number.NEGATIVE_INFINITY };
}
