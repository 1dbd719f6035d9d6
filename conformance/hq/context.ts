/** What the checks of an HQ share: sessions of an agent of our own, and frames to send. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Coverage, covers } from '../../src/protocol/coverage.ts';
import {
  type Hello,
  helloReplySchema,
  type Lane,
  type WireErrorCode,
  wireErrorSchema,
} from '../../src/protocol/events.ts';
import { encodeSamples } from '../../src/protocol/frame-codec.ts';
import type { InternedSchema, Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { expectThat, type Level, type Report } from '../report.ts';
import { type Client, connect, pause } from '../wire/client.ts';

export type HqOptions = {
  readonly url: string;
  /** Null: HQ asks for none. */
  readonly token: string | null;
  /** For reading back over HTTP. */
  readonly operatorToken: string | null;
  readonly timeoutMs: number;
};

export type Accepted = Extract<z.infer<typeof helloReplySchema>, { readonly ok: true }>;
export type Session = {
  readonly client: Client;
  readonly reply: Accepted;
  readonly agent: string;
  readonly epoch: string;
};
export type SessionOptions = { readonly agent?: string; readonly instance?: string } & Partial<Hello>;

export type HqContext = HqOptions & {
  readonly report: Report;
  /** Of this run; names that begin with it are ours. */
  readonly agent: string;
  readonly join: (instance?: string | null) => Promise<Client>;
  readonly hello: (more?: Partial<Hello>) => Hello;
  /** Joined, and said hello for a new epoch, or the one given. */
  readonly session: (more?: SessionOptions) => Promise<Session>;
  readonly check: (
    id: string,
    level: Level,
    text: string,
    check: () => Promise<unknown> | unknown,
  ) => Promise<void>;
  /** Ends every connection that is open. */
  readonly closeAll: () => void;
};

export const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex');
export const newEpoch = (): string => randomHex(6);

export function createContext(options: HqOptions, report: Report): HqContext {
  const agent = `conformance-${randomHex(4)}`;
  const own = randomHex(8);
  const open = new Set<Client>();
  const join: HqContext['join'] = async (instance = own) => {
    const auth = options.token === null ? {} : { token: options.token };
    const client = await connect({ ...options, auth, instance });
    open.add(client);
    return client;
  };
  const hello: HqContext['hello'] = (more = {}) => ({
    protocol: 1,
    schema: 1,
    agent,
    epoch: newEpoch(),
    instance: own,
    version: 'conformance',
    sampled: 0,
    released: 0,
    ts: Date.now(),
    ...more,
  });
  return {
    ...options,
    report,
    agent,
    join,
    hello,
    session: async ({ instance = own, ...more } = {}) => {
      const client = await join(instance);
      const said = hello({ instance, ...more });
      const reply = helloReplySchema.parse(await client.ask('hello', said));
      expectThat(reply.ok, 'hello to be accepted', reply);
      return { client, reply, agent: said.agent, epoch: said.epoch };
    },
    check: (id, level, text, check) => report.run({ id, level, text }, check),
    closeAll: () => {
      for (const { raw } of open) raw.close();
      open.clear();
    },
  };
}

/** The schema of the worked example in docs/protocol.md. */
export const exampleSchema: InternedSchema = internSchema({
  source: 'host',
  boot: 'boot-1',
  series: [
    { name: 'system.cpu.utilization', attributes: {}, unit: '1' },
    { name: 'system.memory.usage', attributes: { state: 'used' }, unit: 'By' },
    { name: 'system.network.io', attributes: { device: 'eth0', direction: 'receive' }, unit: 'By' },
  ],
});

export function sampleOf(seq: number, schema = exampleSchema): Sample {
  const values = schema.series.map((_, index) => index + seq / 4);
  const ts = Date.now() - 60_000 + (seq % 50_000);
  return { schema, ts, mono: seq * 1000, values, anomalies: [], diagnostics: [] };
}

export function frameOf(epoch: string, firstSeq: number, count = 1, schema = exampleSchema): Uint8Array {
  const samples = Array.from({ length: count }, (_, index) => sampleOf(firstSeq + index, schema));
  return encodeSamples({ epoch, firstSeq, samples });
}

const refusalSchema = z.object({ ok: z.literal(false), error: wireErrorSchema });

/** Throws unless HQ refused with this code; gives what it said. */
export function expectRefusal(reply: unknown, ...codes: readonly WireErrorCode[]) {
  const parsed = refusalSchema.safeParse(reply);
  const expected = `a refusal with ${codes.join(' or ')}`;
  expectThat(parsed.success && codes.includes(parsed.data.error.code), expected, reply);
  expectThat(parsed.data.error.message.length > 0, 'a message for people', reply);
  return parsed.data.error;
}

/** Sends it until it is stored, as `rate_limited` and `unavailable` ask for; gives the coverage. */
export async function deliver(client: Client, bytes: Uint8Array, lane: Lane = 'live'): Promise<Coverage> {
  for (let attempt = 0; ; attempt += 1) {
    const reply = frameReplySchema.safeParse(await client.ask('frame', { lane }, bytes));
    expectThat(
      reply.success,
      'an answer to frame: {ok: true, ack, credit} or a refusal',
      reply.error?.message,
    );
    if (reply.data.ok) return reply.data.ack;
    const { code, retryAfterMs = 200 } = reply.data.error;
    const isLater = code === 'rate_limited' || code === 'unavailable';
    expectThat(isLater && attempt < MAX_ATTEMPTS, 'the frame to be stored', reply.data);
    await pause(retryAfterMs);
  }
}

const MAX_ATTEMPTS = 20;
const frameReplySchema = z.union([
  z.object({
    ok: z.literal(true),
    ack: z.object({
      contiguous: z.number().int().min(0),
      ranges: z.array(z.tuple([z.number().int(), z.number().int()])),
    }),
    credit: z.number().int().min(0),
    creditBytes: z.number().int().min(0).optional(),
  }),
  refusalSchema,
]);

/** Throws unless it is in the one form of its set, and has these seqs. */
export function expectCoverage(coverage: Coverage, first: number, last: number): void {
  let end = coverage.contiguous;
  for (const [from, to] of coverage.ranges) {
    expectThat(from > end + 1 && to >= from, 'ranges that ascend and do not touch one another', coverage);
    end = to;
  }
  expectThat(covers(coverage, first, last), `coverage of ${first} … ${last}`, coverage);
}

export async function announce(client: Client, schema = exampleSchema): Promise<void> {
  const { ref, ...document } = schema;
  const reply = await client.ask('schema', { ref, schema: document });
  expectThat(isOk(reply), 'the schema to be taken', reply);
}

export function isOk(reply: unknown): boolean {
  return typeof reply === 'object' && reply !== null && 'ok' in reply && reply.ok === true;
}
