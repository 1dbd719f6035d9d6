/** What an agent over a slow link says of the time to caught up, and how long it takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { startLink } from '../../tests/support/link.ts';
import { type LinkRow, linkOptionsOf } from './link-rows.ts';
import {
  firstState,
  followSchedule,
  liveSource,
  type Parties,
  prepareStart,
  startAgentOf,
  startHqOf,
} from './link-run.ts';
import { isRecord, lineOf, until } from './processes.ts';

const LOOK_MS = 1_000;
const statusSchema = z.object({
  forecast: z.object({ kind: z.string(), ms: z.number().optional() }),
});

/** Times are ms since the first connection. */
export type ForecastRun = {
  readonly said: readonly { readonly at: number; readonly ms: number }[];
  /** When the agent had caught up; null: not within the row's time. */
  readonly caughtUpAt: number | null;
};

/** `onConnected`: what takes a processor is done. */
export async function runForecast(
  parties: Parties,
  row: LinkRow,
  onConnected: () => void,
): Promise<ForecastRun> {
  const { workshop } = parties;
  const { agentDir, hqDir } = await prepareStart(parties, row);
  const hq = await startHqOf(parties, hqDir);
  const link = await startLink({ ...linkOptionsOf(row), target: () => Number(new URL(hq.url).port) });
  const args = ['--preset', row.preset, '--source', liveSource(workshop), '--health-port', '0'];
  const agent = startAgentOf(parties, { dataDir: agentDir, hq: link.url, args });
  try {
    const page = await lineOf(agent, 'the health page', healthUrl, 'stderr');
    const from = await until('a connection', () => firstState(link));
    const schedule = followSchedule(link, row, from.at);
    onConnected();
    const said: { at: number; ms: number }[] = [];
    let caughtUpAt: number | null = null;
    for (let at = 0; caughtUpAt === null && at < row.seconds * 1_000; at = performance.now() - from.at) {
      const { forecast } = statusSchema.parse(await (await fetch(new URL('/status.json', page))).json());
      if (forecast.kind === 'in' && forecast.ms !== undefined) said.push({ at, ms: forecast.ms });
      if (forecast.kind === 'caught_up' && said.length > 0) caughtUpAt = at;
      await delay(LOOK_MS);
    }
    schedule.stop();
    return { said, caughtUpAt };
  } finally {
    await agent.stop();
    link.close();
    await hq.stop();
  }
}

function healthUrl(line: string): string | undefined {
  if (!line.includes('"health_listening"')) return undefined;
  const parsed: unknown = JSON.parse(line);
  return isRecord(parsed) ? String(parsed.url) : undefined;
}
