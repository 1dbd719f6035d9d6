/**
 * A backlog over slow links for 25 s: nobody hangs up, nothing is sent twice, few bytes a sample. Times:
 * tests/long/links.
 */
import { expect, it } from 'vitest';
import { measureRows } from '../../benchmarks/support/link-figures.ts';
import { LINK_ROWS } from '../../benchmarks/support/link-rows.ts';
import { OURS } from '../../benchmarks/support/link-run.ts';
import { inWorkshop } from '../../benchmarks/support/processes.ts';

/** Bytes a sample of the slowest show in minutes only; in 25 s the small frames of the start count for much in all. */
const ROWS = [
  { name: '2.4 kbit/s, 1.5 s', maxBytes: Number.POSITIVE_INFINITY },
  { name: '9.6 kbit/s, 1.2 s', maxBytes: 30 },
  { name: '64 kbit/s, 600 ms', maxBytes: 15 },
  { name: '256 kbit/s, 600 ms', maxBytes: 13 },
];
const SECONDS = 25;
/** More than 256 kbit/s carry in that time. */
const BACKLOG = 100_000;

it(`links of 2.4 to 256 kbit/s carry a backlog for ${SECONDS} s`, async () => {
  const rows = ROWS.map(({ name }) => {
    const row = LINK_ROWS.find((one) => one.name === name);
    if (row === undefined) throw new Error(`no row ${name}`);
    return { ...row, seconds: SECONDS, backlog: BACKLOG };
  });
  const figures = await inWorkshop((workshop) =>
    measureRows({ workshop, product: OURS }, rows, { lateMs: 0 }),
  );
  for (const { name, maxBytes } of ROWS) {
    const [, found] = [...figures].find(([row]) => row.name === name) ?? [];
    expect(found, name).toMatchObject({ disconnects: 0, bytesTwice: 0, duplicateSamples: 0 });
    expect(found?.backlogSamples, name).toBeGreaterThan(0);
    if (Number.isFinite(maxBytes)) expect(found?.bytesPerBacklogSample, name).toBeLessThanOrEqual(maxBytes);
  }
});
