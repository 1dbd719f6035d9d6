/** Agents as processes. */
import { z } from 'zod';
import { type Running, type RunOptions, run, runToEnd } from './holdfast.ts';

/**
 * Impatient settings: a test sees many outages in little time. The relations between them are those of the defaults.
 */
export const impatient = [
  ...[
    '--uplink-backoff-initial-ms',
    '50',
    '--uplink-backoff-max-ms',
    '400',
    '--uplink-connect-timeout-ms',
    '6000',
  ],
  ...['--uplink-ack-timeout-ms', '3000', '--uplink-breaker-open-ms', '4000', '--uplink-heartbeat-ms', '250'],
];

export type AgentProcessOptions = RunOptions & {
  readonly id: string;
  readonly hq: string;
  readonly dataDir: string;
  readonly sources: readonly string[];
  readonly args?: readonly string[];
};

export function startAgentProcess({
  id,
  hq,
  dataDir,
  sources,
  args = impatient,
  ...options
}: AgentProcessOptions): Running {
  const flags = [
    '--id',
    id,
    '--hq',
    hq,
    '--data-dir',
    dataDir,
    ...sources.flatMap((source) => ['--source', source]),
  ];
  return run(['agent', ...flags, ...args], options);
}

const statusSchema = z.looseObject({
  state: z.string(),
  journal: z
    .looseObject({
      epoch: z.string(),
      sampled: z.number(),
      pending: z.number(),
      acked: z.number(),
      disk: z.string(),
    })
    .nullable(),
  pipeline: z
    .looseObject({
      sources: z.array(z.looseObject({ name: z.string(), samples: z.number() })),
      commit: z.looseObject({ committed: z.number(), uncommitted: z.number(), discarded: z.number() }),
    })
    .nullable(),
  troubles: z.array(z.looseObject({ what: z.string(), detail: z.string() })),
  uplink: z.looseObject({ phase: z.string(), attempt: z.number() }).nullable(),
});

/** What the health page of a running agent, or the latest that it has had, says; null until there is one. */
export async function agentStatus(agent: Running) {
  const response = await askHealthPage(agent, '/status.json');
  return response === null ? null : statusSchema.parse(await response.json());
}

/** Its metrics, from the same page. */
export async function agentMetrics(agent: Running): Promise<string | null> {
  return (await askHealthPage(agent, '/metrics'))?.text() ?? null;
}

async function askHealthPage(agent: Running, path: string): Promise<Response | null> {
  const line = agent.stderr.findLast((one) => one.includes('"health_listening"'));
  if (line === undefined) return null;
  const { url } = z.looseObject({ url: z.string() }).parse(JSON.parse(line));
  return fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
}

const statsSchema = z.looseObject({
  epoch: z.string(),
  sampled: z.number(),
  pending: z.number(),
  dropped: z.record(z.string(), z.number()),
  usedBytes: z.number(),
});

/** `holdfast journal stats`, on a running or stopped agent's directory. */
export async function journalStats(dataDir: string, options: RunOptions = {}) {
  const { code, stdout, stderr } = await runToEnd(['journal', 'stats', dataDir, '--json'], options);
  if (code !== 0) throw new Error(`journal stats: ${code} ${stderr}`);
  return statsSchema.parse(JSON.parse(stdout));
}
