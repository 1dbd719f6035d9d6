/** Links from 2.4 kbit/s to 2 Mbit/s, a backlog and a live source: how late fresh samples are, and at what cost. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type LinkFigures, measureRows } from '../../benchmarks/support/link-figures.ts';
import { type ForecastRun, runForecast } from '../../benchmarks/support/link-forecast.ts';
import { LINK_ROWS, type LinkRow } from '../../benchmarks/support/link-rows.ts';
import { OURS } from '../../benchmarks/support/link-run.ts';
import { runSteady, type SteadyRun } from '../../benchmarks/support/link-steady.ts';
import { inWorkshop } from '../../benchmarks/support/processes.ts';
import { putAhead } from '../support/ahead.ts';
import { keepFigures } from '../support/memory.ts';

const MINUTES = 60_000;
/** Before the end a backlog of few frames goes by leaps. */
const LAST_MS = 90_000;
/** One frame alone of each of two schemas finds out that HQ lacks it. */
const LONE_FRAMES_BYTES = 2 * 400;
/** Rows of which the forecast is judged, from `fromMs` on until a minute before the agent has caught up. */
const FORECASTS = LINK_ROWS.flatMap((row) => {
  if (row.name === '2.4 kbit/s, 1.5 s')
    return [{ row: { ...row, backlog: 1_600, seconds: 600 }, fromMs: MINUTES, share: 0.3, slackMs: 10_000 }];
  // A pass more or less, and the drain ends while the link is there.
  if (row.passes !== undefined)
    return [
      { row: { ...row, backlog: 30_000, seconds: 600 }, fromMs: 130_000, share: 0.3, slackMs: MINUTES },
    ];
  return [];
});
/** At the payload of TCP. */
const STEADY = { upBytesPerSecond: 150, downBytesPerSecond: 60, reconnectBytes: 2_000 };

describe('over a slow link', () => {
  let figures: ReadonlyMap<LinkRow, LinkFigures> = new Map();
  let forecasts: readonly ForecastRun[] = [];
  beforeAll(async () => {
    // What they start is ahead, too: the relay, agents and HQs.
    putAhead([process.pid]);
    [figures, forecasts] = await inWorkshop(async (workshop) => {
      const parties = { workshop, product: OURS };
      const runs: Promise<ForecastRun>[] = [];
      // They wait while the rows do.
      for (const { row } of FORECASTS) {
        const connected = Promise.withResolvers<void>();
        runs.push(runForecast(parties, row, connected.resolve));
        await Promise.race([connected.promise, runs.at(-1)]);
      }
      return Promise.all([measureRows(parties, LINK_ROWS), Promise.all(runs)]);
    });
    keepFigures('links', Object.fromEntries([...figures].map(([{ name }, found]) => [name, found])));
  }, 20 * MINUTES);

  it.each(FORECASTS)('of $row.name the agent says how long it takes', ({ row, fromMs, share, slackMs }) => {
    const { said = [], caughtUpAt = null } = forecasts[FORECASTS.findIndex((one) => one.row === row)] ?? {};
    if (caughtUpAt === null) throw new Error('it has not caught up');
    const judged = said.filter(({ at }) => at >= fromMs && at < caughtUpAt - LAST_MS);
    expect(judged.length).toBeGreaterThan(10);
    for (const { at, ms } of judged) {
      const left = caughtUpAt - at;
      expect(Math.abs(ms - left), `said ${ms} ms after ${at} ms, which took ${left} ms`).toBeLessThan(
        share * left + slackMs,
      );
    }
  });

  describe.each(LINK_ROWS)('of $name', (row) => {
    const found = () => {
      const one = figures.get(row);
      if (one === undefined) throw new Error('not measured');
      return one;
    };
    const { aims } = row;

    it('fresh samples come first', () => {
      expect(found().judgedSamples).toBeGreaterThan(5);
      expect(found().lagP99Ms).toBeLessThanOrEqual(aims.liveLagMs);
      if (aims.firstFreshMs !== undefined)
        expect(found().firstFreshMs).toBeLessThanOrEqual(aims.firstFreshMs);
    });

    it('the backlog uses the link, at few bytes a sample', () => {
      expect(found().linkUsed).toBeGreaterThanOrEqual(aims.linkUsed);
      expect(found().backlogSamples).toBeGreaterThan(0);
      if (aims.bytesPerBacklogSample !== undefined)
        expect(found().bytesPerBacklogSample).toBeLessThanOrEqual(aims.bytesPerBacklogSample);
    });

    it('nobody takes it for dead, and nothing is sent twice', () => {
      expect(found().disconnects).toBe(0);
      expect(found().duplicateSamples).toBe(0);
      // After an outage at most what was in flight.
      if (row.passes === undefined)
        expect(found().bytesTwice).toBeLessThanOrEqual(row.isSchemaKnown ? 0 : LONE_FRAMES_BYTES);
    });
  });
});

describe('an agent that is caught up', () => {
  let found: SteadyRun | undefined;
  beforeAll(async () => {
    found = await inWorkshop((workshop) =>
      runSteady({ workshop, product: OURS }, { source: '17', seconds: 60 }),
    );
  }, 5 * MINUTES);

  it.each(Object.entries(STEADY))('needs few bytes: %s', (name, most) => {
    const [, value] = Object.entries(found ?? {}).find(([key]) => key === name) ?? [];
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThanOrEqual(most);
  });
});
