/**
 * A source whose every sample can be told from all others: the first value is a number that no machine gives out twice.
 */
import { filter } from 'rxjs';
import type { RawSample, Source } from '../../src/agent/sources/source.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { sampleEvery } from '../../src/streams/sample-every.ts';
import type { Chance } from '../kernel/chance.ts';

export const IDENTITY_SERIES = 'sim.identity';

export type CountingSourceOptions = {
  readonly name: string;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly noisySeries: number;
  readonly chance: Chance;
  /** The number of the next sample; never the same twice. */
  readonly nextId: () => number;
  /** Nothing is measured any more. */
  readonly isQuiet: () => boolean;
};

export function createCountingSource(options: CountingSourceOptions): Source {
  const { name, clock, periodMs, noisySeries, chance, nextId, isQuiet } = options;
  const noisy = Array.from({ length: noisySeries }, (_, index) => ({
    name: 'sim.noise',
    attributes: { number: String(index + 1) },
    unit: '1',
  }));
  const schema = internSchema({
    source: name,
    boot: clock.bootId,
    series: [
      { name: IDENTITY_SERIES, attributes: {}, unit: '1' },
      { name: 'sim.level', attributes: {}, unit: '1' },
      { name: 'sim.gauge', attributes: {}, unit: 'By' },
      ...noisy,
    ],
  });
  const take = (): RawSample | null => {
    if (isQuiet()) return null;
    // Now and then far off: an anomaly that jumps the backlog.
    const level = chance.chance(0.01) ? 1000 : Math.round(chance.between(40, 60) * 100) / 100;
    const gauge = chance.chance(0.1) ? null : chance.whole(0, 1_000_000);
    return {
      schema,
      ts: clock.now(),
      mono: clock.mono(),
      values: [nextId(), level, gauge, ...noisy.map(() => chance.next())],
    };
  };
  return {
    name,
    time: 'clock',
    samples: () => sampleEvery(periodMs, take, clock.scheduler).pipe(filter((sample) => sample !== null)),
    traits: (series) => (series.name === 'sim.level' ? { minStddev: 1 } : { anomalies: false }),
  };
}
