/** A link that comes back at chosen moments of an attempt to connect, and how soon a fresh sample is stored then. */
import { setTimeout as delay } from 'node:timers/promises';
import { startLink } from '../../tests/support/link.ts';
import { type LinkRow, linkOptionsOf } from './link-rows.ts';
import { liveSamples, liveSource, type Parties, prepareStart, startAgentOf, startHqOf } from './link-run.ts';
import { until } from './processes.ts';

/** How long the link is there before it goes again, ms. */
const UP_MS = 9_000;
/** The first attempt after the loss is waited for as long as the silence that ends a connection. */
const ATTEMPT = { deadlineMs: 60_000, everyMs: 10 };
/** A sample that was taken just before the return is as fresh. */
const FRESH_MS = 1_000;

export type Return = {
  /** How long the attempt had lasted when the link came back, ms. */
  readonly intoMs: number;
  /** From the return until a fresh sample was stored, ms. */
  readonly freshMs: number;
};

/** One agent with a backlog, cut off again and again. */
export async function runReturns(
  parties: Parties,
  row: LinkRow,
  moments: readonly number[],
): Promise<readonly Return[]> {
  const { workshop } = parties;
  const start = await prepareStart(parties, row);
  const hq = await startHqOf(parties, start.hqDir);
  const wallOffset = Date.now() - performance.now();
  const link = await startLink({ ...linkOptionsOf(row), target: () => Number(new URL(hq.url).port) });
  try {
    const args = ['--preset', row.preset, '--source', liveSource(workshop)];
    const agent = startAgentOf(parties, { dataDir: start.agentDir, hq: link.url, args });
    const returns: Return[] = [];
    for (const intoMs of moments) {
      await delay(UP_MS);
      link.interrupt();
      const cutAt = performance.now();
      // The second one: the first may have begun as the link went.
      const begunAt = await until(
        'a second attempt',
        () => link.state().opened.filter((at) => at > cutAt)[1],
        ATTEMPT,
      );
      await delay(Math.max(0, begunAt + intoMs - performance.now()));
      link.restore();
      const backAt = performance.now();
      const freshMs = await until('a fresh sample', async () => {
        const stored = await liveSamples(hq.url, Math.floor(backAt + wallOffset - FRESH_MS));
        const [first] = stored
          .map(({ arrivalTs }) => arrivalTs - wallOffset - backAt)
          .filter((ms) => ms >= 0)
          .sort((a, b) => a - b);
        return first;
      });
      returns.push({ intoMs, freshMs });
    }
    agent.child.kill('SIGKILL');
    return returns;
  } finally {
    link.close();
    await hq.stop();
  }
}
