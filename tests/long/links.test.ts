/** Links from 2.4 kbit/s to 2 Mbit/s, a backlog and a live source: how late fresh samples are, and at what cost. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type LinkFigures, measureRows } from '../../benchmarks/support/link-figures.ts';
import { LINK_ROWS, type LinkRow } from '../../benchmarks/support/link-rows.ts';
import { OURS } from '../../benchmarks/support/link-run.ts';
import { runSteady, type SteadyRun } from '../../benchmarks/support/link-steady.ts';
import { inWorkshop } from '../../benchmarks/support/processes.ts';
import { putAhead } from '../support/ahead.ts';
import { keepFigures } from '../support/memory.ts';

const MINUTES = 60_000;
/** One frame alone of each of two schemas finds out that HQ lacks it. */
const LONE_FRAMES_BYTES = 2 * 400;
/** At the payload of TCP. */
const STEADY = { upBytesPerSecond: 150, downBytesPerSecond: 60, reconnectBytes: 2_000 };

describe('over a slow link', () => {
  let figures: ReadonlyMap<LinkRow, LinkFigures> = new Map();
  beforeAll(async () => {
    // What they start is ahead, too: the relay, agents and HQs.
    putAhead([process.pid]);
    figures = await inWorkshop((workshop) => measureRows({ workshop, product: OURS }, LINK_ROWS));
    keepFigures('links', Object.fromEntries([...figures].map(([{ name }, found]) => [name, found])));
  }, 20 * MINUTES);

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
