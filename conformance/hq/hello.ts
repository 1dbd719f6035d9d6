/** docs/protocol.md, section 3: hello, versions, and who may speak for an agent. */
import { helloReplySchema } from '../../src/protocol/events.ts';
import { expectThat, Skipped, shown } from '../report.ts';
import {
  announce,
  deliver,
  expectCoverage,
  expectRefusal,
  frameOf,
  type HqContext,
  isOk,
  newEpoch,
  randomHex,
} from './context.ts';

/** HQ gives the one that holds the name 2 s to answer. */
const PROBE_MS = 2_000;

export async function checkHello(context: HqContext): Promise<void> {
  await checkAnswer(context);
  await checkVersions(context);
  await checkMalformed(context);
  await checkHolders(context);
  await checkCopies(context);
}

async function checkAnswer({ check, join, hello }: HqContext): Promise<void> {
  await check(
    'hello.answer',
    'MUST',
    'HQ answers a hello with protocol, ack, limits, credit and hqTs',
    async () => {
      const client = await join();
      const reply = await client.ask('hello', { ...hello(), colour: 'unknown fields are ignored' });
      client.raw.close();
      const parsed = helloReplySchema.safeParse(reply);
      expectThat(parsed.success && parsed.data.ok, 'the answer of section 3', parsed.error?.message ?? reply);
      const { ack, protocol } = parsed.data;
      expectThat(protocol === 1, 'protocol 1, as nothing else was offered', reply);
      expectThat(ack.contiguous === 0 && ack.ranges.length === 0, 'an empty coverage for a new epoch', reply);
    },
  );
}

async function checkVersions({ check, join, hello }: HqContext): Promise<void> {
  for (const [id, text, said] of [
    ['hello.version', 'a hello of protocol 99', { ...hello(), protocol: 99 }],
    ['hello.version-first', 'a hello of protocol 99 that has no other field', { protocol: 99 }],
    [
      'hello.version-fields',
      'one of protocol 2 alone that lacks fields of version 1',
      { protocol: 77, agent: 7 },
    ],
    ['hello.schema-version', 'a hello of schema 99', { ...hello(), schema: 99 }],
  ] as const) {
    await check(
      id,
      'MUST',
      `HQ refuses ${text} with unsupported_version, and says what it speaks`,
      async () => {
        const client = await join();
        const { supported } = expectRefusal(await client.ask('hello', said), 'unsupported_version');
        client.raw.close();
        const speaks = supported?.protocol.includes(1) === true && supported.schema.includes(1);
        expectThat(speaks, 'supported: {protocol: [1, …], schema: [1, …]}', supported);
      },
    );
  }
  await check('hello.protocols', 'MUST', 'HQ agrees on a version that was offered', async () => {
    const client = await join();
    const reply = helloReplySchema.parse(await client.ask('hello', hello({ protocols: [1, 2, 98] })));
    client.raw.close();
    expectThat(reply.ok && [1, 2].includes(reply.protocol), 'protocol 1 or 2', reply);
  });
}

async function checkMalformed({ check, join, hello }: HqContext): Promise<void> {
  const { ts, ...withoutTs } = hello();
  for (const [id, text, said] of [
    ['hello.field', 'a hello without ts', withoutTs],
    ['hello.agent', 'an agent id with a slash', { ...hello(), agent: 'a/b' }],
    ['hello.agent-length', 'an agent id of 65 characters', { ...hello(), agent: 'a'.repeat(65) }],
    ['hello.epoch', 'an epoch of 11 digits', { ...hello(), epoch: '0123456789a' }],
    ['hello.released', 'released beyond sampled', { ...hello(), sampled: 1, released: 2 }],
    ['hello.text', 'a hello that is a text', 'hello'],
  ] as const) {
    await check(id, 'MUST', `HQ refuses ${text} with bad_request`, async () => {
      const client = await join();
      expectRefusal(await client.ask('hello', said), 'bad_request');
      client.raw.close();
    });
  }
  void ts;
}

async function checkHolders(context: HqContext): Promise<void> {
  const { check, join, hello } = context;
  const agent = `${context.agent}-twice`;
  await check(
    'hello.duplicate',
    'MUST',
    'HQ refuses a second agent of one id while the first answers its probe',
    async () => {
      const { client, epoch } = await context.session({ agent });
      const second = await join(null);
      const other = hello({ agent, epoch: newEpoch(), instance: randomHex(8) });
      expectRefusal(await second.ask('hello', other), 'duplicate_agent');
      const events = client.received.map(({ event }) => event);
      expectThat(events.includes('probe'), 'a probe of the first', events);
      await announce(client);
      expectCoverage(await deliver(client, frameOf(epoch, 1)), 1, 1);
      second.raw.close();
      client.raw.close();
    },
  );
  await check(
    'hello.takeover',
    'MUST',
    'HQ gives the id to the second when the first does not answer',
    async () => {
      const first = await join(null);
      expectThat(isOk(await first.ask('hello', hello({ agent }))), 'hello to be accepted', 'a refusal');
      const second = await join(null);
      const asked = performance.now();
      const reply = await second.ask('hello', hello({ agent, instance: randomHex(8) }));
      const took = performance.now() - asked;
      expectThat(isOk(reply), 'hello to be accepted after the probe', reply);
      expectThat(took < PROBE_MS + context.timeoutMs, 'an answer in time', `${took} ms`);
      second.raw.close();
      first.raw.close();
    },
  );
  await check(
    'hello.other-hq',
    'MUST',
    'HQ refuses a journal that has delivered to another HQ with other_hq',
    async () => {
      const { client, reply } = await context.session();
      client.raw.close();
      if (reply.hq === undefined) throw new Skipped('this HQ does not tell its identity');
      const second = await join();
      expectRefusal(await second.ask('hello', hello({ hq: `${reply.hq.slice(0, 60)}-x` })), 'other_hq');
      expectThat(
        isOk(await second.ask('hello', hello({ hq: reply.hq }))),
        'its own identity to be taken',
        'a refusal',
      );
      second.raw.close();
    },
  );
}

async function checkCopies(context: HqContext): Promise<void> {
  const { check, join, hello } = context;
  await check(
    'hello.fork-run',
    'MUST',
    'HQ refuses the copy of a journal that has delivered with forked_epoch',
    async () => {
      const run = { number: 1, after: null, begun: 0 };
      const { client, epoch } = await context.session({ run, sampled: 2 });
      await announce(client);
      await deliver(client, frameOf(epoch, 1, 2));
      client.raw.close();
      const copy = await join(null);
      const said = hello({ epoch, instance: randomHex(8), run, sampled: 2 });
      expectRefusal(await copy.ask('hello', said), 'forked_epoch');
      copy.raw.close();
    },
  );
  await check(
    'hello.fork-agent',
    'MUST',
    'HQ refuses the epoch of another agent with forked_epoch',
    async () => {
      const { client, epoch } = await context.session();
      await announce(client);
      await deliver(client, frameOf(epoch, 1));
      client.raw.close();
      const other = await join();
      expectRefusal(
        await other.ask('hello', hello({ agent: `${context.agent}-copy`, epoch })),
        'forked_epoch',
      );
      other.raw.close();
    },
  );
  await check('hello.again', 'MUST', 'HQ says at the next hello what it holds of the epoch', async () => {
    const { client, epoch } = await context.session();
    await announce(client);
    await deliver(client, frameOf(epoch, 1, 3));
    await deliver(client, frameOf(epoch, 7, 2));
    client.raw.close();
    const { client: next, reply } = await context.session({ epoch, sampled: 8 });
    expectCoverage(reply.ack, 1, 3);
    expectCoverage(reply.ack, 7, 8);
    expectThat(reply.ack.contiguous === 3, 'contiguous 3 and the range 7 … 8', shown(reply.ack));
    next.raw.close();
  });
}
