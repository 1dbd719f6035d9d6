/** Draining a large backlog takes no more memory than living without one. */
import { join } from 'node:path';
import { defer, lastValueFrom, repeat } from 'rxjs';
import { expect, it } from 'vitest';
import { openLmdbStorage } from '../../src/journal/lmdb-storage.ts';
import { openJournal } from '../../src/journal/open-journal.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { impatient, startAgentProcess } from '../support/agent.ts';
import { anonymousBytes, built, residentBytes } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { startProxy } from '../support/proxy.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const BACKLOG = 1_000_000;
const BATCH = 4_000;
const MIB = 1024 ** 2;
/** Of what the agent itself holds. */
const MAX_SWING_MB = 30;
/** Of all that is resident, with the journal's pages that are mapped as they are read; the kernel takes those back at need. */
const MAX_RESIDENT_SWING_MB = 40;
/** HQ's own bound: frames in its queue, and pages of the store that it has touched. */
const MAX_HQ_MB = 500;

/** A journal with a million pending samples of 17 series. */
async function prepareBacklog(dataDir: string): Promise<void> {
  const clock = createSystemClock();
  const storage = await lastValueFrom(openLmdbStorage({ directory: dataDir, clock }));
  const journal = await lastValueFrom(
    openJournal({ storage, clock, ids: systemIds, policy: 'block', maxBytes: 1024 * MIB }),
  );
  const random = seededRandom(3);
  const schema = internSchema({
    source: 'sim',
    boot: clock.bootId,
    series: Array.from({ length: 17 }, (_, n) => ({ name: `metric.${n}`, attributes: {}, unit: '1' })),
  });
  const values = Array.from({ length: 17 }, () => 50);
  let row = 0;
  const start = clock.now() - BACKLOG * 100;
  const batch = () =>
    Array.from({ length: BATCH }, () => {
      row += 1;
      for (let n = 0; n < values.length; n += 1) {
        values[n] = Math.round(((values[n] ?? 0) + random.next() - 0.5) * 100) / 100;
      }
      return {
        schema,
        ts: start + row * 100,
        mono: row * 100,
        values: [...values],
        anomalies: [],
        diagnostics: [],
      };
    });
  await lastValueFrom(defer(() => journal.append(batch())).pipe(repeat(BACKLOG / BATCH)));
  await lastValueFrom(journal.close(), { defaultValue: undefined });
}

it('drains a million pending samples while what it holds stays within ± 30 MB', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'edge');
  await prepareBacklog(dataDir);
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const proxy = await startProxy(() => Number(new URL(hq.url).port));
  proxy.set({ kind: 'refuse' });
  // A budget makes the drain last long enough to be watched.
  const agent = startAgentProcess({
    id: 'edge',
    hq: proxy.url,
    dataDir,
    sources: ['sim:hz=10,sensors=17'],
    args: [...impatient, '--uplink-max-bytes-per-second', '1MB'],
    ...built,
  });
  const look = () => ({ held: anonymousBytes(agent.pid) / MIB, resident: residentBytes(agent.pid) / MIB });
  let looks = 0;
  const before = await until(
    'the agent to have settled',
    () => {
      looks += 1;
      return looks > 10 && look();
    },
    { everyMs: 500 },
  );

  proxy.set({ kind: 'pass' });
  const draining: ReturnType<typeof look>[] = [];
  const hqResident: number[] = [];
  await until(
    'the backlog to drain',
    async () => {
      draining.push(look());
      hqResident.push(residentBytes(hq.pid) / MIB);
      const entry = (await ledgerOf(hq.url, 'edge'))[0];
      return entry !== undefined && entry.stored >= BACKLOG && entry.pending === 0;
    },
    { everyMs: 100, deadlineMs: 120_000 },
  );

  const swing = (what: 'held' | 'resident') =>
    Math.max(...draining.map((one) => Math.abs(one[what] - before[what])));
  process.stdout.write(
    `drain: ${before.resident.toFixed(1)} MB resident before; ± ${swing('held').toFixed(1)} MB held, ± ${swing('resident').toFixed(1)} MB resident over ${draining.length} looks; HQ at most ${Math.max(...hqResident).toFixed(1)} MB\n`,
  );
  expect(draining.length).toBeGreaterThan(20);
  expect(swing('held')).toBeLessThanOrEqual(MAX_SWING_MB);
  expect(swing('resident')).toBeLessThanOrEqual(MAX_RESIDENT_SWING_MB);
  expect(Math.max(...hqResident)).toBeLessThan(MAX_HQ_MB);

  expect(await agent.end('SIGTERM')).toBe(0);
  const [entry] = await ledgerOf(hq.url, 'edge');
  expect(entry).toMatchObject({ stored: entry?.sampled, pending: 0, dropped: {}, gaps: [], ranges: [] });
});
