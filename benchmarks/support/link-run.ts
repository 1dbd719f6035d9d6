/** An agent process with a backlog and an HQ process, with a slow link between them, and what can be measured there. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { sampleDocumentSchema } from '../../src/protocol/api.ts';
import { hostSamples } from '../../src/protocol/codec/testing/host-samples.ts';
import { type LinkRelay, type LinkState, startLink } from '../../tests/support/link.ts';
import { type SeenFrame, watchFrames } from '../../tests/support/link-frames.ts';
import { type LinkRow, linkOptionsOf } from './link-rows.ts';
import { eventOf, type Running, root, until, type Workshop } from './processes.ts';

export const AGENT = 'edge';
/** Samples that HQ gets over a fast link beforehand, when it is to know the schemas. */
const SEEN_BEFORE = 60;
const LIVE_ROWS = 3600;
const PERIOD_MS = 1000;

/** A version of the product to run: its tree, and whether it is run from the build in dist/. */
export type Product = { readonly tree: string; readonly isBuilt: boolean };
export const OURS: Product = { tree: root, isBuilt: true };

function nodeArgs({ tree, isBuilt }: Product, args: readonly string[]): string[] {
  if (!isBuilt) return [join(tree, 'bin/holdfast.js'), ...args];
  const main = JSON.stringify(join(tree, 'dist/bundle/main.js'));
  const program = `const { main } = await import(${main}); await main(process.argv.slice(1));`;
  return ['--input-type=module', '--eval', program, '--', ...args];
}

/** Directories of an agent and an HQ that rows begin with. */
export type Start = { readonly agentDir: string; readonly hqDir: string };

export type Parties = { readonly workshop: Workshop; readonly product: Product };

export async function startHqOf({ workshop, product }: Parties, dataDir: string) {
  const args = ['hq', '--port', '0', '--data-dir', dataDir, '--limits-requests-per-minute', '1000000'];
  const running = workshop.node(nodeArgs(product, args));
  return { ...running, url: String((await eventOf(running, 'listening')).url) };
}

export function startAgentOf(
  { workshop, product }: Parties,
  options: { readonly dataDir: string; readonly hq: string; readonly args: readonly string[] },
): Running {
  const place = ['--id', AGENT, '--hq', options.hq, '--data-dir', options.dataDir];
  return workshop.node(nodeArgs(product, ['agent', ...place, ...options.args]));
}

/** The 17 host metrics, a row a second, taken as they are replayed. */
export function liveSource(workshop: Workshop): string {
  const path = join(workshop.folder(), 'live.csv');
  const samples = hostSamples(LIVE_ROWS, 7);
  const columns = samples[0]?.schema.series.map(({ name }) => name) ?? [];
  const rows = samples.map(({ values }, index) => `${1_700_000_000 + index},${values.join(',')}`);
  writeFileSync(path, `time,${columns.join(',')}\n${rows.join('\n')}\n`);
  return `csv:path=${path},speed=1x,name=host`;
}

/** `prepareJournal` of the version's own tree, in a process of its own. */
async function prepareBacklog({ workshop, product }: Parties, directory: string, count: number) {
  const script = JSON.stringify(join(product.tree, 'benchmarks/support/prepare-journal.ts'));
  const program = `const { prepareJournal } = await import(${script}); await prepareJournal(process.argv[1], ${count});`;
  const running = workshop.node(['--input-type=module', '--eval', program, '--', directory]);
  await until('the backlog to be written', () => running.child.exitCode ?? undefined);
  if (running.child.exitCode !== 0) throw new Error(`no backlog: ${running.stderr.join('\n')}`);
}

/** An agent with a backlog, which HQ has known before or not. */
export async function prepareStart(
  parties: Parties,
  { isSchemaKnown, backlog }: Pick<LinkRow, 'isSchemaKnown' | 'backlog'>,
): Promise<Start> {
  const { workshop } = parties;
  const start = { agentDir: workshop.folder(), hqDir: workshop.folder() };
  if (isSchemaKnown) {
    await prepareBacklog(parties, start.agentDir, SEEN_BEFORE);
    const hq = await startHqOf(parties, start.hqDir);
    const args = ['--source', liveSource(workshop)];
    const agent = startAgentOf(parties, { dataDir: start.agentDir, hq: hq.url, args });
    await until('HQ to know the schemas', async () => {
      const [entry] = await ledger(hq.url);
      return entry !== undefined && entry.contiguous > SEEN_BEFORE ? true : undefined;
    });
    await agent.stop();
    await hq.stop();
  }
  await prepareBacklog(parties, start.agentDir, backlog);
  return start;
}

const ledgerSchema = z.object({
  items: z.array(z.object({ sampled: z.number(), stored: z.number(), contiguous: z.number() })),
});
const pageSchema = z.object({ items: z.array(sampleDocumentSchema), cursor: z.string().nullable() });

async function ledger(url: string) {
  const response = await fetch(`${url}/api/v1/agents/${AGENT}/ledger`);
  return response.ok ? ledgerSchema.parse(await response.json()).items : [];
}

type Stored = { readonly seq: number; readonly ts: number; readonly arrivalTs: number };

/** Samples of the live source that HQ has, by seq. */
export async function liveSamples(url: string, from: number): Promise<readonly Stored[]> {
  const samples: Stored[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({
      from: String(from),
      limit: '5000',
      ...(cursor === null ? {} : { cursor }),
    });
    const response = await fetch(`${url}/api/v1/agents/${AGENT}/samples?${query}`);
    if (response.status === 404) return samples;
    if (!response.ok) throw new Error(`samples: HTTP ${response.status} ${await response.text()}`);
    const page: z.infer<typeof pageSchema> = pageSchema.parse(await response.json());
    samples.push(...page.items.map(({ seq, ts, arrivalTs }) => ({ seq, ts, arrivalTs })));
    cursor = page.cursor;
  } while (cursor !== null);
  return samples.sort((a, b) => a.seq - b.seq);
}

/** A figure of HQ's metrics page; those of several label sets are summed. */
async function hqMetric(url: string, name: string, label = ''): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** A moment, by how much the link had carried upward. */
type Mark = { readonly frame: SeenFrame; readonly upWireBytes: number };

/** What was seen of a row. Times are those of `performance.now()`. */
export type LinkRun = {
  readonly row: LinkRow;
  /** At the first connection, and at the end of what is measured. */
  readonly from: LinkState;
  readonly to: LinkState;
  /** Every frame that arrived in between. */
  readonly marks: readonly Mark[];
  /**
   * Live samples that were taken before the end; those that had not come a while later have the age that they had then.
   */
  readonly live: readonly { readonly takenAt: number; readonly lagMs: number }[];
  /** When the link went and came back, or its rate changed. */
  readonly changes: readonly { readonly at: number; readonly isUp: boolean }[];
  /** Seqs that HQ had already, as it says itself. */
  readonly duplicateSamples: number;
};

export type RunOptions = {
  readonly row: LinkRow;
  readonly start: Start;
  /** How long the last live samples are waited for. Default 60,000. */
  readonly lateMs?: number;
  /** The first live frame arrived. */
  readonly onLive?: () => void;
};

/** Copies the start, so that several rows may begin with it. */
export async function runLink(
  parties: Parties,
  { row, start, lateMs = 60_000, onLive }: RunOptions,
): Promise<LinkRun> {
  const { workshop } = parties;
  const copy = { agentDir: workshop.folder(), hqDir: workshop.folder() };
  cpSync(start.agentDir, copy.agentDir, { recursive: true });
  cpSync(start.hqDir, copy.hqDir, { recursive: true });
  const hq = await startHqOf(parties, copy.hqDir);
  const wallOffset = Date.now() - performance.now();
  const marks: Mark[] = [];
  const startTs = Date.now();
  const watch = watchFrames(startTs, (frame) => {
    if (frame.isLive) onLive?.();
    // Once the model has done with the moment.
    queueMicrotask(() => marks.push({ frame, upWireBytes: link.state().up.wireBytes }));
  });
  const link = await startLink({
    ...linkOptionsOf(row),
    target: () => Number(new URL(hq.url).port),
    onBytes: (connection, way, bytes) => {
      if (way === 'up') watch(connection, bytes);
    },
  });
  try {
    const args = ['--preset', row.preset, '--source', liveSource(workshop)];
    const agent = startAgentOf(parties, { dataDir: copy.agentDir, hq: link.url, args });
    const from = await until('a connection', () => firstState(link), { everyMs: 2 });
    const schedule = followSchedule(link, row, from.at);
    // The newest of the backlog may come with live samples.
    const isDrained = () => marks.reduce((sum, { frame }) => sum + frame.newSeqs, 0) >= row.backlog;
    const deadline = from.at + row.seconds * 1000;
    while (performance.now() < deadline && !isDrained()) await delay(50);
    const to = link.state();
    const { changes } = schedule;
    const seen = { row, from, to, marks: [...marks], changes: [...changes] };
    const span = { fromTs: startTs, toTs: to.at + wallOffset, lateMs };
    const live = await liveLags(hq.url, span);
    schedule.stop();
    const duplicateSamples = await hqMetric(hq.url, 'holdfast_hq_duplicate_samples_total');
    agent.child.kill('SIGKILL');
    return {
      ...seen,
      live: live.map(({ ts, lagMs }) => ({ takenAt: ts - wallOffset, lagMs })),
      duplicateSamples,
    };
  } finally {
    link.close();
    await hq.stop();
  }
}

export function firstState(link: LinkRelay): LinkState | undefined {
  const state = link.state();
  const [first] = state.opened;
  return first === undefined ? undefined : { ...state, at: first };
}

/** Lets the link come and go, or change its rates, as the row says. */
export function followSchedule(link: LinkRelay, { passes, steps, ...row }: LinkRow, start: number) {
  const changes: { readonly at: number; readonly isUp: boolean }[] = [];
  const initial = linkOptionsOf({ ...row, ...(passes === undefined ? {} : { passes }) });
  let isSlow = true;
  let isUp = true;
  let timer: NodeJS.Timeout | undefined;
  let due = start;
  const next = () => {
    if (passes !== undefined) due += isUp ? passes.upMs : passes.downMs;
    else if (steps !== undefined) due += steps.everyMs;
    else return;
    timer = setTimeout(
      () => {
        if (passes !== undefined) {
          isUp = !isUp;
          link.change({ isUp });
        } else if (steps !== undefined) {
          isSlow = !isSlow;
          const factor = isSlow ? 1 : steps.factor;
          link.change({
            up: { bytesPerSecond: initial.up.bytesPerSecond * factor },
            down: { bytesPerSecond: initial.down.bytesPerSecond * factor },
          });
        }
        changes.push({ at: performance.now(), isUp });
        next();
      },
      Math.max(0, due - performance.now()),
    );
  };
  next();
  return { changes, stop: () => clearTimeout(timer) };
}

/** Of the samples taken before `toTs`, once HQ has a later one or `lateMs` are over. */
async function liveLags(
  url: string,
  { fromTs, toTs, lateMs }: { readonly fromTs: number; readonly toTs: number; readonly lateMs: number },
) {
  const deadline = performance.now() + lateMs;
  let stored: readonly Stored[] = [];
  for (;;) {
    stored = await liveSamples(url, fromTs);
    if (stored.some(({ ts }) => ts >= toTs) || performance.now() > deadline) break;
    await delay(250);
  }
  const acked = await hqMetric(url, 'holdfast_hq_ack_seconds_count', 'lane="live"');
  const ackSeconds = await hqMetric(url, 'holdfast_hq_ack_seconds_sum', 'lane="live"');
  // HQ notes when a frame arrived; it is durable when HQ answers.
  const commitMs = acked === 0 ? 0 : (ackSeconds / acked) * 1000;
  const now = Date.now();
  const lags: { readonly ts: number; readonly lagMs: number }[] = [];
  let expected = stored[0];
  for (const sample of stored) {
    // Taken, since the seqs go on, and not here.
    for (let seq = expected?.seq ?? sample.seq; seq < sample.seq; seq += 1) {
      const ts = sample.ts - (sample.seq - seq) * PERIOD_MS;
      lags.push({ ts, lagMs: now - ts });
    }
    lags.push({ ts: sample.ts, lagMs: sample.arrivalTs - sample.ts + commitMs });
    expected = { ...sample, seq: sample.seq + 1 };
  }
  // Nothing came for so long: what was taken since has its age.
  const last = stored.at(-1)?.ts ?? fromTs;
  for (let ts = last + PERIOD_MS; ts < toTs; ts += PERIOD_MS) lags.push({ ts, lagMs: now - ts });
  return lags.filter(({ ts }) => ts < toTs);
}
