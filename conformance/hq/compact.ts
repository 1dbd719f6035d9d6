/** docs/protocol.md, section 8: compact messages, where HQ agrees on version 2. */
import { ofEpoch, refusedFrames } from '../../src/protocol/codec/testing/refused.ts';
import { type DownMessage, decodeDown } from '../../src/protocol/compact/down.ts';
import { leavesOf } from '../../src/protocol/compact/heartbeat-delta.ts';
import { encodeFrameMessage, encodeHeartbeatMessage } from '../../src/protocol/compact/up.ts';
import { expectThat, Skipped, Unmet } from '../report.ts';
import { heartbeatOf } from './connection.ts';
import { announce, expectCoverage, frameOf, type HqContext, type Session } from './context.ts';

export async function checkCompact(context: HqContext): Promise<void> {
  const { check } = context;
  const agreed = async (): Promise<Session> => {
    const session = await context.session({ protocols: [1, 2], sampled: 100 });
    if (session.reply.protocol !== 2) throw new Skipped('this HQ speaks version 1 only');
    await announce(session.client);
    return session;
  };
  await check(
    'compact.frames',
    'MUST',
    'HQ answers compact frames, with and without their head',
    async () => {
      const { client, epoch } = await agreed();
      const live = encodeFrameMessage(0, { lane: 'live', frame: frameOf(epoch, 1), epoch });
      // Of another epoch than its own, the encoder leaves the head on.
      const whole = encodeFrameMessage(16_383, {
        lane: 'live',
        frame: frameOf(epoch, 2),
        epoch: 'ffffffffffff',
      });
      client.raw.send(live, whole);
      const answers = await answersOf(
        { client },
        (found) => requestsOf(found).length === 2,
        context.timeoutMs,
      );
      client.raw.close();
      expectThat(requestsOf(answers).sort().join() === '0,16383', 'requests 0 and 16383 stored', answers);
      const last = answers.findLast(({ type }) => type === 'acked');
      if (last?.type === 'acked') expectCoverage(last.ack, 1, 2);
    },
  );
  await check('compact.refused', 'MUST', 'HQ refuses a compact frame by its request number', async () => {
    const { client, epoch } = await agreed();
    const [wrong] = refusedFrames().filter(({ name }) => name === 'encoding-7');
    if (wrong === undefined) throw new Skipped('no such golden frame');
    client.raw.send(encodeFrameMessage(7, { lane: 'live', frame: ofEpoch(wrong, epoch), epoch }));
    const [answer] = await answersOf({ client }, (found) => found.length > 0, context.timeoutMs);
    client.raw.close();
    const isRefused = answer?.type === 'refused' && answer.request === 7 && answer.error.code === 'bad_frame';
    expectThat(isRefused, 'request 7 refused with bad_frame', answer);
  });
  await check(
    'compact.heartbeats',
    'MUST',
    'HQ answers a whole heartbeat, and one that says what changed',
    async () => {
      const { client } = await agreed();
      const first = { request: 3, leaves: leavesOf(heartbeatOf({ sampled: 100 })) };
      const next = { request: 4, leaves: leavesOf(heartbeatOf({ sampled: 101, 'link.rate': 10.7 })) };
      client.raw.send(encodeHeartbeatMessage(first, null));
      const heard = (count: number) => (found: readonly DownMessage[]) =>
        found.filter(({ type }) => type === 'heard').length === count;
      await answersOf({ client }, heard(1), context.timeoutMs);
      client.raw.send(encodeHeartbeatMessage(next, first));
      const answers = await answersOf({ client }, heard(2), context.timeoutMs);
      client.raw.close();
      const requests = answers.flatMap((one) => (one.type === 'heard' ? [one.request] : []));
      expectThat(requests.join() === '3,4', 'heartbeats 3 and 4 heard', answers);
    },
  );
  for (const [id, text, bytes, protocols] of [
    ['base', 'a heartbeat that builds on another than the last', Uint8Array.of(9, 5, 4), [1, 2]],
    ['type', 'a type that is not defined', Uint8Array.of(0x77, 0), [1, 2]],
    ['cut', 'bytes that end too early', Uint8Array.of(8, 0, 0x0a, 0x80), [1, 2]],
    ['not-agreed', 'one without having agreed on version 2', Uint8Array.of(8, 0), [1]],
  ] as const) {
    await check(`compact.${id}`, 'MUST', `HQ closes a connection that sends ${text}`, async () => {
      if (protocols.length > 1) (await agreed()).client.raw.close();
      const { client } = await context.session({ protocols: [...protocols] });
      client.raw.send(bytes);
      const closed = await client.until(() => client.raw.isClosed());
      client.raw.close();
      expectThat(closed, 'the end', 'none');
    });
  }
}

const requestsOf = (answers: readonly DownMessage[]): number[] =>
  answers.flatMap((one) => (one.type === 'acked' ? one.requests : []));

async function answersOf(
  { client }: Pick<Session, 'client'>,
  enough: (found: readonly DownMessage[]) => boolean,
  ms: number,
): Promise<readonly DownMessage[]> {
  const found = () => client.compact.map(decodeDown).filter(({ type }) => type !== 'credit');
  if (await client.until(() => enough(found()) || client.raw.isClosed(), ms)) return found();
  throw new Unmet('compact answers', found());
}
