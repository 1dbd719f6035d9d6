/** HQ as a process, and its API. */
import { z } from 'zod';
import { agentSummarySchema, ledgerEntrySchema, sampleDocumentSchema } from '../../src/protocol/api.ts';
import { type Running, type RunOptions, run } from './holdfast.ts';
import { expectDocumentOf, holdToDocument } from './openapi.ts';
import { until } from './wait.ts';

export type RunningHq = Running & { readonly url: string };

/** Starts HQ on a free port, or on `port`, and waits until it listens. */
export async function startHqProcess(
  dataDir: string,
  { port = 0, args = [], ...options }: { port?: number; args?: readonly string[] } & RunOptions = {},
): Promise<RunningHq> {
  const running = run(['hq', '--port', String(port), '--data-dir', dataDir, ...args], options);
  const line = await until('HQ to listen', async () => {
    if (running.process.exitCode !== null) throw new Error(`HQ ended: ${running.stderr.join('\n')}`);
    return running.stdout[0];
  });
  const { url } = z.object({ url: z.string() }).parse(JSON.parse(line));
  // An HQ that has ended again, or answers nobody, is for the test to find.
  await expectDocumentOf(url).catch(() => {});
  return { ...running, url };
}

/** Throws where the answer is no success, or another than HQ's OpenAPI document says. */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const body = await response.text();
  await holdToDocument(response, body);
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${body}`);
  return JSON.parse(body);
}

export async function ledgerOf(url: string, agent: string) {
  const document = await getJson(`${url}/api/v1/agents/${agent}/ledger`);
  return z.object({ items: z.array(ledgerEntrySchema) }).parse(document).items;
}

export async function summaryOf(url: string, agent: string) {
  return agentSummarySchema.parse(await getJson(`${url}/api/v1/agents/${agent}`));
}

const samplesPage = z.object({ items: z.array(sampleDocumentSchema), cursor: z.string().nullable() });

/** Every stored sample of an agent with `from` <= ts < `to`, all pages. */
export async function allSamples(url: string, agent: string, { from = 0, to = 8_640_000_000_000_000 } = {}) {
  const samples: z.infer<typeof sampleDocumentSchema>[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ from: String(from), to: String(to), limit: '10000' });
    if (cursor !== null) query.set('cursor', cursor);
    const page: z.infer<typeof samplesPage> = samplesPage.parse(
      await getJson(`${url}/api/v1/agents/${agent}/samples?${query}`),
    );
    samples.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== null);
  return samples;
}
