/**
 * An agent in some worlds that delivers over HTTP for a while, and is then removed for good while all others go on: the
 * order is given until HQ has taken it, and again where a restored backup has brought the agent back.
 */
import { EMPTY } from 'rxjs';
import type { SampleDelivery } from '../../src/hq/store/store.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import type { Violations } from '../check/violations.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Disk } from '../kernel/disk.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { SimHq } from './sim-hq.ts';

export type Leaver = {
  /** Whether nothing is left to do. */
  readonly isGone: () => boolean;
  /** What HQ's disk still has of it. */
  readonly check: (violations: Violations) => void;
};

export type LeaverOptions = {
  readonly chance: Chance;
  readonly timeline: Timeline;
  readonly hq: SimHq;
  readonly hqDisk: Disk;
  readonly healAt: number;
  readonly note: (line: string) => void;
};

export const LEAVER = 'leaver';
/** Of all worlds. */
const SHARE = 0.06;
const TICKS = 60;
const SAMPLES = 12;
const schema = internSchema({
  source: 'http',
  boot: 'b',
  series: [{ name: 'left', attributes: {}, unit: '1' }],
});

/** Null: there is none in this world. */
export function createLeaver(options: LeaverOptions): Leaver | null {
  const { chance, timeline, healAt, note } = options;
  if (!chance.chance(SHARE)) return null;
  const leavesAt = chance.between(0.3, 0.9) * healAt;
  let isGone = false;
  let delivered = 0;
  const tick = () => {
    const store = options.hq.running()?.store;
    if (store !== undefined && timeline.now() < leavesAt) {
      delivered += 1;
      store.append([deliveryOf(options.hq, delivered)]).subscribe({ error: () => {} });
    } else if (store !== undefined) {
      store.purgeOf(LEAVER).subscribe((purge) => {
        isGone = purge?.isDone === true;
        const ordered = purge === null ? store.purge(LEAVER, options.hq.machine.wall()) : EMPTY;
        ordered.subscribe({ next: () => note('leaver is to be removed'), error: () => {} });
      });
    }
    timeline.after(healAt / TICKS, tick);
  };
  timeline.after(healAt / TICKS, tick);
  return {
    isGone: () => isGone || delivered === 0,
    check: (violations) => {
      for (const text of options.hqDisk.records().keys())
        if (text.includes(`${LEAVER}\0`) && !text.startsWith('Z'))
          violations.report(
            'not_removed',
            `a record of kind ${text[0]} is left of the agent that was removed`,
          );
    },
  };
}

/** A few samples, each time others. */
function deliveryOf(hq: SimHq, number: number): SampleDelivery {
  const ts = hq.machine.wall();
  const samples = Array.from(
    { length: SAMPLES },
    (_, at): Sample => ({
      schema,
      ts: ts + at,
      mono: number * SAMPLES + at,
      values: [number + at / SAMPLES],
      anomalies: [],
      diagnostics: [],
    }),
  );
  return {
    parts: [{ agent: LEAVER, samples, dedupKey: `delivery ${number}` }],
    contentHash: Buffer.alloc(32, number % 256),
    arrivalTs: ts,
  };
}
