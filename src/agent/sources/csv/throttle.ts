/**
 * Slows a replay while the journal holds more than it should: a token bucket that is filled at a share of the rate at
 * which the replay gives samples otherwise. The depth is what HQ has not confirmed, so an outage is what slows it.
 */
import type { Clock } from '../../../platform/clock.ts';
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';
import type { SourceEmit } from '../source.ts';

export type ThrottleSettings = {
  /** Pending samples of the journal beyond which the replay is slowed. Minimum 1. */
  readonly depth: number;
  /** Share of its usual rate that the replay keeps then, 0 … 1; 0: it waits. */
  readonly rate: number;
};

export type Throttle = {
  /** How long to wait before more is given, ms; 0: not at all. Looks at the depth. */
  readonly waitMs: () => number;
  /** Samples were given. */
  readonly given: (samples: number) => void;
  readonly isThrottled: () => boolean;
};

export type ThrottleOptions = ThrottleSettings & {
  readonly source: string;
  readonly emit: SourceEmit;
  readonly scheduler: Pick<Clock['scheduler'], 'now'>;
  /** Samples of the journal that HQ has not confirmed. */
  readonly pending: () => number;
  /** Samples a second by the times of the file; null: it has no rhythm, or it is not known yet. */
  readonly rhythm: () => number | null;
};

/** The depth is looked at this often while the replay waits, ms. */
const LOOK_MS = 250;
/** The usual rate is that of the last stretch of so long at least, ms. */
const MEASURE_MS = 1000;
/** Before it is known, samples a second. */
const FIRST_RATE = 1000;
/** What may go at once: so much of a second. */
const BURST_S = 0.1;

export function createThrottle(options: ThrottleOptions): Throttle {
  const { source, depth, rate, emit, scheduler, pending, rhythm } = options;
  let measured: number | null = null;
  let stretch = { from: scheduler.now(), samples: 0 };
  /** Null: not throttled. */
  let throttled: { readonly level: TokenLevel | null; readonly perSecond: number } | null = null;

  const begin = (): void => {
    const perSecond = (measured ?? rhythm() ?? FIRST_RATE) * rate;
    const capacity = Math.max(1, perSecond * BURST_S);
    throttled = {
      perSecond,
      level: perSecond === 0 ? null : createTokenLevel({ capacity, refillPerSecond: perSecond }),
    };
    emit({ type: 'csv_throttle_rate', source, rate });
    emit({ type: 'csv_throttled', source, pending: pending(), depth, samplesPerSecond: perSecond });
  };
  const end = (): void => {
    throttled = null;
    stretch = { from: scheduler.now(), samples: 0 };
    emit({ type: 'csv_throttle_rate', source, rate: 1 });
    emit({ type: 'csv_unthrottled', source, pending: pending(), depth });
  };
  const measure = (samples: number): void => {
    stretch.samples += samples;
    const elapsedMs = scheduler.now() - stretch.from;
    if (elapsedMs < MEASURE_MS) return;
    measured = (stretch.samples * 1000) / elapsedMs;
    stretch = { from: scheduler.now(), samples: 0 };
  };

  emit({ type: 'csv_throttle_rate', source, rate: 1 });
  return {
    waitMs: () => {
      const isDeep = pending() > depth;
      if (isDeep && throttled === null) begin();
      if (!isDeep && throttled !== null) end();
      if (throttled === null) return 0;
      const { level, perSecond } = throttled;
      if (level === null) return LOOK_MS;
      const owed = level.debt(scheduler.now());
      return owed > 0 ? Math.min(LOOK_MS, Math.ceil((owed * 1000) / perSecond)) : 0;
    },
    given: (samples) => {
      if (throttled === null) {
        measure(samples);
        return;
      }
      throttled.level?.take(samples, scheduler.now());
      emit({ type: 'csv_throttled_samples', source, count: samples });
    },
    isThrottled: () => throttled !== null,
  };
}
