/** docs/protocol.md, section 2: how a connection begins. */
import { expectThat, Skipped } from '../report.ts';
import { type Client, connect, openSchema, openSocket, pause, Refused } from '../wire/client.ts';
import { expectRefusal, frameOf, type HqContext, isOk, newEpoch } from './context.ts';

export async function checkConnection(context: HqContext): Promise<void> {
  const { check, url, timeoutMs, token, hello } = context;

  await check(
    'connection.open',
    'MUST',
    'HQ opens Engine.IO 4 over a WebSocket and names its pings',
    async () => {
      const { raw, open } = await openSocket(url, timeoutMs);
      raw.close();
      expectThat(openSchema.safeParse(open).success, '{sid, pingInterval, pingTimeout}', open);
    },
  );

  await check('connection.default', 'MUST', 'HQ refuses the default namespace', async () => {
    const { raw } = await openSocket(url, timeoutMs);
    const answers: string[] = [];
    raw.onHeard(({ kind, ...heard }) => {
      if (kind === 'packet' && 'packet' in heard && 'namespace' in heard.packet)
        answers.push(heard.packet.type);
    });
    raw.send('40');
    const end = performance.now() + timeoutMs;
    while (answers.length === 0 && !raw.isClosed() && performance.now() < end) await pause(5);
    const refused = raw.isClosed() || answers[0] === 'connect_error';
    raw.close();
    expectThat(refused, 'a connect error, or the end', answers[0] ?? 'nothing');
  });

  await check('connection.token', 'MUST', 'HQ refuses a wrong token with unauthorized', async () => {
    if (token === null) throw new Skipped('no --token or --token-file: this HQ asks for none');
    const auth = { token: `${token}-wrong` };
    const refusal = await connect({ url, timeoutMs, auth, instance: null }).catch((error: unknown) => error);
    expectThat(refusal instanceof Refused, 'a connect error', refusal);
    const { data } = refusal.data as { data?: unknown };
    expectRefusal({ ok: false, error: data }, 'unauthorized');
  });

  for (const [event, ...args] of [
    ['frame', { lane: 'live' }, frameOf(newEpoch(), 1)],
    ['schema', { ref: '000000000000', schema: { source: 'a', boot: 'b', series: [] } }],
    ['coverage', { after: 0 }],
    ['heartbeat', heartbeatOf()],
    ['goodbye', { reason: 'conformance' }],
  ] as const) {
    await check(
      `connection.before.${event}`,
      'MUST',
      `HQ refuses ${event} before hello with hello_required`,
      async () => {
        const client = await context.join();
        expectRefusal(await client.ask(event, ...args), 'hello_required');
        const reply = await client.ask('hello', hello());
        client.raw.close();
        expectThat(isOk(reply), 'hello to be accepted on the same connection', reply);
      },
    );
  }
}

export function heartbeatOf(more: object = {}): object {
  return {
    ts: Date.now(),
    state: 'live',
    breaker: 'closed',
    sampled: 0,
    released: 0,
    pending: 0,
    pendingBytes: 0,
    dropped: {},
    lagMs: 0,
    rttMs: null,
    ...more,
  };
}

/** Begins now; what it gives is to be awaited at the end, so that nothing waits for a ping meanwhile. */
export function watchPings(context: HqContext): () => Promise<void> {
  const opened = context.session({ agent: `${context.agent}-pings` }).catch(() => null);
  const begun = performance.now();
  return () =>
    context.check(
      'connection.pings',
      'MUST',
      'HQ sends pings at the interval that it announced',
      async () => {
        const session = await opened;
        if (session === null) throw new Skipped('no connection for it');
        const { client } = session;
        const [first] = client.raw.said;
        const open = openSchema.parse(JSON.parse(String(first?.content).slice(1)));
        const left = begun + open.pingInterval + context.timeoutMs - performance.now();
        if (!(await heardPing(client, left))) throw new Skipped('none within the interval and --timeout-ms');
      },
    );
}

async function heardPing(client: Client, ms: number): Promise<boolean> {
  const heard = await client.until(() => client.pings() > 0 || client.raw.isClosed(), ms);
  expectThat(heard && client.pings() > 0, 'a ping', client.raw.isClosed() ? 'the end' : 'none');
  return true;
}
