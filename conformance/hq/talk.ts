/** docs/protocol.md, sections 3 and 5: heartbeats, coverage, goodbye, and what is none of these. */
import { z } from 'zod';
import { coverageReplySchema, heartbeatReplySchema } from '../../src/protocol/events.ts';
import { expectThat } from '../report.ts';
import { eventMessages } from '../wire/packets.ts';
import { heartbeatOf } from './connection.ts';
import {
  announce,
  deliver,
  expectCoverage,
  expectRefusal,
  frameOf,
  type HqContext,
  isOk,
} from './context.ts';

const RANGES = 140;
const link = { rate: 1000, minRttMs: 20, queueMs: 0, live: 0, backlog: 0 };

export async function checkTalk(context: HqContext): Promise<void> {
  await checkHeartbeats(context);
  await checkPages(context);
  await checkManners(context);
}

async function checkHeartbeats({ check, session }: HqContext): Promise<void> {
  await check('heartbeat.answer', 'MUST', 'HQ answers a heartbeat with hqTs and ack', async () => {
    const { client, epoch } = await session();
    await announce(client);
    await deliver(client, frameOf(epoch, 1));
    const reply = await client.ask('heartbeat', heartbeatOf({ sampled: 1, link, colour: 'unknown' }));
    client.raw.close();
    const parsed = heartbeatReplySchema.safeParse(reply);
    expectThat(parsed.success && parsed.data.ok, '{ok: true, hqTs, ack}', reply);
    expectCoverage(parsed.data.ack, 1, 1);
  });
  await check(
    'heartbeat.link',
    'MUST',
    'HQ takes the rest of a heartbeat whose link is malformed',
    async () => {
      const { client } = await session();
      const reply = await client.ask('heartbeat', heartbeatOf({ link: { rate: 'fast' } }));
      client.raw.close();
      expectThat(isOk(reply), '{ok: true, …}', reply);
    },
  );
  await check(
    'heartbeat.released',
    'MUST',
    'HQ accounts at a heartbeat for what was released and never came',
    async () => {
      const { client, epoch } = await session({ sampled: 10 });
      await announce(client);
      await deliver(client, frameOf(epoch, 5));
      const reply = heartbeatReplySchema.parse(
        await client.ask('heartbeat', heartbeatOf({ sampled: 10, released: 7 })),
      );
      client.raw.close();
      expectThat(reply.ok, '{ok: true, …}', reply);
      expectCoverage(reply.ack, 1, 7);
      expectThat(reply.ack.contiguous === 7, 'contiguous 7', reply.ack);
    },
  );
  for (const [id, text, said] of [
    ['released-beyond', 'released beyond sampled', { sampled: 1, released: 2 }],
    ['state', 'an unknown state', { state: 'asleep' }],
    ['negative', 'pending below 0', { pending: -1 }],
    ['reasons', '65 reasons in dropped', { dropped: reasons(65) }],
  ] as const) {
    await check(
      `heartbeat.${id}`,
      'MUST',
      `HQ refuses a heartbeat with ${text} with bad_request`,
      async () => {
        const { client } = await session();
        expectRefusal(await client.ask('heartbeat', heartbeatOf(said)), 'bad_request');
        client.raw.close();
      },
    );
  }
}

const reasons = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`reason_${index}`, 1]));

async function checkPages({ check, session }: HqContext): Promise<void> {
  await check('coverage.pages', 'MUST', 'HQ gives all of the coverage, page by page', async () => {
    const { client, epoch } = await session({ sampled: 1_000 });
    await announce(client);
    for (let index = 0; index < RANGES; index += 1) await deliver(client, frameOf(epoch, 2 + 2 * index));
    let after = 0;
    const found = new Set<number>();
    for (let pages = 0; pages < RANGES; pages += 1) {
      const reply = coverageReplySchema.parse(await client.ask('coverage', { after }));
      expectThat(reply.ok, '{ok: true, ack, more}', reply);
      for (const [first, last] of reply.ack.ranges) {
        expectThat(first === last && first % 2 === 0, 'ranges of one seq each', reply.ack);
        found.add(first);
        after = last;
      }
      if (!reply.more) break;
    }
    client.raw.close();
    expectThat(found.size === RANGES, `${RANGES} ranges in all`, `${found.size}`);
  });
}

async function checkManners({ check, session, timeoutMs }: HqContext): Promise<void> {
  await check('goodbye.answer', 'MUST', 'HQ answers a goodbye', async () => {
    const { client } = await session();
    expectThat(isOk(await client.ask('goodbye', { reason: 'conformance' })), '{ok: true}', 'a refusal');
    client.raw.close();
  });
  for (const [id, text, messages] of [
    ['unknown', 'an event that it does not know', eventMessages('sing', [{ song: 1 }], 9_000)],
    ['no-ack', 'an event that asks for no ack', eventMessages('heartbeat', [heartbeatOf()], null)],
    ['text', 'a heartbeat that is a text', eventMessages('heartbeat', ['hello'], 9_000)],
    ['bytes', 'bytes where an object is due', eventMessages('heartbeat', [Uint8Array.of(1, 2)], 9_000)],
    ['frame-text', 'a frame that is a text', eventMessages('frame', [{ lane: 'live' }, 'frame'], 9_000)],
  ] as const) {
    await check(`manners.${id}`, 'MUST', `HQ goes on after ${text}`, async () => {
      const { client } = await session();
      client.raw.send(...messages);
      const reply = await client.ask('heartbeat', heartbeatOf());
      client.raw.close();
      expectThat(isOk(reply), 'the next heartbeat to be answered', reply);
    });
  }
  await check(
    'manners.end',
    'MUST',
    'HQ closes a connection after 16 violations, and no earlier',
    async () => {
      const { client } = await session();
      for (let count = 0; count < 15; count += 1) client.raw.send(...eventMessages('sing', [], null));
      expectThat(isOk(await client.ask('heartbeat', heartbeatOf())), 'an answer after 15', 'a refusal');
      client.raw.send(...eventMessages('sing', [], null));
      const closed = await client.until(() => client.raw.isClosed(), timeoutMs);
      client.raw.close();
      expectThat(closed, 'the end after 16', 'none');
    },
  );
  await check(
    'errors.shape',
    'MUST',
    'refusals have a code, a message, and retryAfterMs where it says so',
    async () => {
      const { client } = await session();
      const reply = await client.ask('heartbeat', {});
      client.raw.close();
      const { message } = expectRefusal(reply, 'bad_request');
      expectThat(
        z.string().max(1000).safeParse(message).success,
        'a message of at most 1000 characters',
        message,
      );
    },
  );
}
