/** What the agent is led through, one after the other; each ends in a requirement or several. */
import { covers, missingWithin } from '../../src/protocol/coverage.ts';
import type { WireError } from '../../src/protocol/events.ts';
import { decodeGap } from '../../src/protocol/frame-codec.ts';
import { expectThat, type Level, type Report, Skipped } from '../report.ts';
import { pause } from '../wire/client.ts';
import type { AgentConnection, FrameMessage } from './connection.ts';
import type { FakeHq } from './fake-hq.ts';

export type Stage = {
  readonly hq: FakeHq;
  readonly report: Report;
  /** For each step, ms. */
  readonly patienceMs: number;
};

/** Messages that were on their way when the agent heard of it. */
const SLACK_MS = 100;
const OUTAGE_MS = 4_000;

const lastOf = ({ header }: FrameMessage) => header.firstSeq + header.count - 1;
const has = (frame: FrameMessage, seq: number) => frame.header.firstSeq <= seq && seq <= lastOf(frame);
const seqsOf = (frame: FrameMessage) => `seqs ${frame.header.firstSeq} … ${lastOf(frame)}`;
const refusal = (code: WireError['code'], retryAfterMs?: number): WireError => ({
  code,
  message: 'on purpose',
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

function step({ report }: Stage, id: string, level: Level, text: string, check: () => Promise<unknown>) {
  return report.run({ id, level, text }, check);
}

/** Waits for what must come. */
async function wait({ hq, patienceMs }: Stage, what: string, holds: () => boolean): Promise<void> {
  expectThat(await hq.until(holds, patienceMs), what, `nothing within ${patienceMs} ms`);
}

async function accepted(stage: Stage): Promise<AgentConnection> {
  await wait(stage, 'the agent to connect and say hello', () => stage.hq.current()?.isAccepted() === true);
  const connection = stage.hq.current();
  if (connection === null) throw new Skipped('the agent left');
  return connection;
}

/** Ends the connection, so that the agent has to come back. */
async function cut({ hq, patienceMs }: Stage): Promise<void> {
  const connection = hq.current();
  connection?.raw.close();
  await hq.until(() => connection?.raw.isClosed() !== false, patienceMs);
}

export async function firstContact(stage: Stage): Promise<void> {
  const { hq } = stage;
  hq.policy.helloMs = 400;
  await step(
    stage,
    'contact.hello',
    'MUST',
    'the agent connects by WebSocket, joins /agents and says hello',
    () => accepted(stage),
  );
  hq.policy.helloMs = 0;
  if (hq.hellos.length === 0) return;
  await step(
    stage,
    'contact.schema',
    'MUST',
    'the agent sends the schemas that unknown_schema names, then the frame',
    () =>
      wait(stage, 'a frame of a schema that was sent', () => hq.frames.some((frame) => holdsAll(hq, frame))),
  );
  await step(stage, 'contact.live', 'MUST', 'the agent sends its newest samples in the lane live', () =>
    wait(stage, 'three live frames', () => hq.frames.filter(({ lane }) => lane === 'live').length >= 3),
  );
  await step(stage, 'contact.heartbeat', 'MUST', 'the agent sends heartbeats', () =>
    wait(stage, 'a heartbeat', () => hq.connections.some(({ heartbeats }) => heartbeats.length > 0)),
  );
  await step(
    stage,
    'contact.probe',
    'MUST',
    'the agent answers a probe with its instance within 2 s',
    async () => {
      const connection = await accepted(stage);
      const answer = connection.ask('probe');
      await hq.until(() => answer() !== undefined, 2_000);
      const { instance } = (answer() ?? {}) as { instance?: unknown };
      expectThat(
        instance === connection.hello()?.instance,
        `{instance: "${connection.hello()?.instance}"}`,
        answer(),
      );
    },
  );
  await step(stage, 'contact.ping', 'MUST', 'the agent answers a ping', async () => {
    const isAnswered = (await accepted(stage)).ping();
    await wait(stage, 'a pong', isAnswered);
  });
  await step(
    stage,
    'contact.unknown',
    'MUST',
    'the agent ignores an event that it does not know',
    async () => {
      const connection = await accepted(stage);
      connection.tell('sing', { song: 1 });
      connection.tell('conflict', { message: 'on purpose' });
      const before = hq.frames.length;
      await wait(stage, 'another frame', () => hq.frames.length > before);
      expectThat(!connection.raw.isClosed(), 'the connection to stay', 'its end');
    },
  );
}

const holdsAll = (hq: FakeHq, frame: FrameMessage) =>
  covers(hq.held(frame.epoch), frame.header.firstSeq, lastOf(frame));

/** Refuses the next frame of a kind once; gives it. */
async function refuseOnce(
  stage: Stage,
  error: WireError,
  isMeant: (frame: FrameMessage) => boolean,
): Promise<FrameMessage> {
  const { hq } = stage;
  let refused: FrameMessage | null = null;
  hq.policy.frame = (frame) => {
    if (refused !== null || !isMeant(frame)) return 'take';
    refused = frame;
    return error;
  };
  await wait(stage, 'a frame to refuse', () => refused !== null);
  // TypeScript does not see the callback.
  return refused as unknown as FrameMessage;
}

export async function refusals(stage: Stage): Promise<void> {
  const { hq } = stage;
  for (const code of ['rate_limited', 'unavailable'] as const) {
    await step(
      stage,
      `refusal.${code}`,
      'MUST',
      `after ${code} the agent waits as it is told, and sends the frame again`,
      async () => {
        const connection = await accepted(stage);
        const waitMs = 1_500;
        const refused = await refuseOnce(stage, refusal(code, waitMs), ({ lane }) => lane === 'live');
        // What it sent before it heard of the refusal comes before its answer to this.
        const heard = connection.ask('probe');
        await wait(stage, 'an answer to a probe', () => heard() !== undefined);
        const heardAt = performance.now() + SLACK_MS;
        await wait(stage, `${seqsOf(refused)} again`, () => holdsAll(hq, refused));
        const first = hq.frames.find(
          ({ lane, at }) => lane === refused.lane && at > heardAt && at < refused.at + waitMs * 0.9,
        );
        expectThat(
          first === undefined,
          `no live frame within ${waitMs} ms`,
          first && `${first.at - refused.at} ms`,
        );
      },
    );
  }
}

export async function unknownAnswers(stage: Stage): Promise<void> {
  const { hq } = stage;
  for (const isStored of [true, false]) {
    const [id, level, text] = isStored
      ? (['unknown.stored', 'SHOULD', 'what hello says is held is not sent again'] as const)
      : (['unknown.lost', 'MUST', 'what was not answered and hello does not hold is sent again'] as const);
    await step(stage, id, level, text, async () => {
      await accepted(stage);
      let dropped: FrameMessage | null = null;
      hq.policy.frame = (frame) => {
        if (dropped !== null) return 'take';
        dropped = frame;
        return 'drop';
      };
      await wait(stage, 'a frame', () => dropped !== null);
      const frame = dropped as unknown as FrameMessage;
      await cut(stage);
      // After the end, so that its answer is lost and its samples are not.
      if (isStored) hq.take(frame);
      const from = hq.frames.length;
      await wait(stage, 'the agent to come back', () => hq.current()?.isAccepted() === true);
      if (!isStored) return wait(stage, `${seqsOf(frame)} again`, () => holdsAll(hq, frame));
      await wait(stage, 'other frames', () => hq.frames.length > from + 1);
      const again = hq.frames.slice(from).find((one) => has(one, frame.header.firstSeq));
      expectThat(again === undefined, `others than ${seqsOf(frame)}`, again && seqsOf(again));
    });
  }
}

export async function backlog(stage: Stage): Promise<void> {
  const { hq } = stage;
  const isBacklog = ({ lane }: FrameMessage) => lane === 'backlog';
  await step(
    stage,
    'backlog.zero',
    'MUST',
    'with a credit of 0 the agent sends no backlog frame',
    async () => {
      hq.policy.accepting = false;
      hq.policy.frame = () => 'take';
      await cut(stage);
      await pause(OUTAGE_MS);
      hq.policy.credit = 0;
      hq.policy.accepting = true;
      const from = hq.frames.length;
      await accepted(stage);
      await wait(stage, 'live frames', () => hq.frames.length > from + 2);
      await pause(1_000);
      const early = hq.frames.slice(from).find(isBacklog);
      expectThat(early === undefined, 'live frames only', early && seqsOf(early));
    },
  );
  const held: FrameMessage[] = [];
  await step(
    stage,
    'backlog.credit',
    'MUST',
    'the agent drains its backlog within the credit that it is given',
    async () => {
      const connection = await accepted(stage);
      hq.policy.frame = (frame) => {
        if (!isBacklog(frame)) return 'take';
        held.push(frame);
        return 'hold';
      };
      connection.giveCredit(2);
      await wait(stage, 'a backlog frame', () => held.length > 0);
      await pause(1_000);
      expectThat(connection.inFlight() <= 2, 'two in flight at most', connection.inFlight());
    },
  );
  await step(
    stage,
    'backlog.bad-frame',
    'MUST',
    'after bad_frame the same bytes never come again; a gap (rejected) stands for what is refused',
    async () => {
      const poisoned = held.find(
        ({ header, connection }) => header.kind === 'data' && !connection.raw.isClosed(),
      );
      if (poisoned === undefined) throw new Skipped('no backlog frame came');
      const seq = poisoned.header.firstSeq;
      const isPoisoned = (frame: FrameMessage) => frame.header.kind !== 'gap' && has(frame, seq);
      hq.policy.frame = (frame) => (isPoisoned(frame) ? refusal('bad_frame') : 'take');
      const from = hq.frames.length;
      for (const frame of held) {
        if (isPoisoned(frame)) frame.refused(refusal('bad_frame'));
        else hq.take(frame);
      }
      const gap = () =>
        hq.frames.slice(from).find(({ header }) => header.kind === 'gap' && header.firstSeq <= seq);
      await wait(stage, `a gap for seq ${seq}`, () => gap() !== undefined);
      const found = gap();
      const reason = found === undefined ? null : decodeGap(found.bytes).reason;
      expectThat(reason === 'rejected', 'a gap of the reason rejected', reason);
      const same = hq.frames.slice(from).find(({ bytes }) => Buffer.from(bytes).equals(poisoned.bytes));
      expectThat(same === undefined, 'other bytes', 'the frame that was refused');
      hq.policy.frame = () => 'take';
    },
  );
}

export async function tooLarge(stage: Stage): Promise<void> {
  const { hq } = stage;
  await step(stage, 'backlog.too-large', 'MUST', 'after too_large the agent splits the frame', async () => {
    hq.policy.accepting = false;
    await cut(stage);
    await pause(OUTAGE_MS);
    hq.policy.credit = 4;
    hq.policy.accepting = true;
    const large = ({ header }: FrameMessage) => header.kind === 'data' && header.count > 1;
    const refused = await refuseOnce(stage, refusal('too_large'), large);
    const from = hq.frames.length;
    await wait(stage, `${seqsOf(refused)} in pieces`, () => holdsAll(hq, refused));
    const pieces = hq.frames.slice(from).filter((one) => has(refused, one.header.firstSeq));
    const whole = pieces.find(({ header }) => header.count >= refused.header.count);
    expectThat(whole === undefined, 'frames of fewer samples', whole && seqsOf(whole));
  });
}

export async function complete(stage: Stage): Promise<void> {
  const { hq } = stage;
  await step(
    stage,
    'delivery.complete',
    'MUST',
    'every seq that was given out arrives, as a sample or as a gap',
    async () => {
      const connection = await accepted(stage);
      hq.policy.frame = () => 'take';
      const heard = connection.heartbeats.length;
      await wait(
        stage,
        'a heartbeat',
        () => connection.heartbeats.length > heard || connection.raw.isClosed(),
      );
      const { epoch } = connection.hello() ?? { epoch: '' };
      const sampled = connection.heartbeats.at(-1)?.sampled ?? 0;
      await hq.until(() => covers(hq.held(epoch), 1, sampled), stage.patienceMs);
      const missing = missingWithin(hq.held(epoch), 1, sampled);
      expectThat(
        missing.length === 0,
        `all of 1 … ${sampled}`,
        `without ${JSON.stringify(missing.slice(0, 5))}`,
      );
    },
  );
}

export async function compactMessages(stage: Stage): Promise<void> {
  const { hq } = stage;
  await step(
    stage,
    'compact.used',
    'SHOULD',
    'an agent that offers version 2 uses it where HQ agrees',
    async () => {
      if (hq.hellos.at(-1)?.hello.protocols?.includes(2) !== true)
        throw new Skipped('the agent speaks version 1 only');
      hq.policy.compact = true;
      await cut(stage);
      const from = hq.frames.length;
      const connection = await accepted(stage);
      await wait(stage, 'compact frames and heartbeats', () => {
        const frames = hq.frames.slice(from).filter(({ isCompact }) => isCompact);
        return frames.length >= 2 && connection.compactHeartbeats() >= 2;
      });
      hq.policy.compact = false;
    },
  );
}

export async function refusedHellos(stage: Stage): Promise<void> {
  const { hq } = stage;
  await step(
    stage,
    'hello.retry-after',
    'MUST',
    'the agent does not come back sooner than retryAfterMs says',
    async () => {
      const waitMs = 2_000;
      hq.policy.refuseHello = refusal('duplicate_agent', waitMs);
      const from = hq.hellos.length;
      await cut(stage);
      await wait(stage, 'a hello to refuse', () => hq.hellos.length > from);
      await wait(stage, 'the next hello', () => hq.hellos.length > from + 1);
      hq.policy.refuseHello = null;
      const [first, second] = hq.hellos.slice(from).map(({ at }) => at);
      const waited = Math.round((second ?? 0) - (first ?? 0));
      expectThat(waited >= waitMs * 0.9, `${waitMs} ms between two`, `${waited} ms`);
    },
  );
  await step(
    stage,
    'hello.forked',
    'MUST',
    'after forked_epoch the agent goes on under a new epoch, from seq 1',
    async () => {
      const before = hq.hellos.at(-1)?.hello.epoch;
      hq.policy.refuseHello = refusal('forked_epoch');
      const from = hq.hellos.length;
      await cut(stage);
      await wait(stage, 'a hello to refuse', () => hq.hellos.length > from);
      // All of the old epoch are refused; the new one is not.
      const isNew = () => hq.hellos.slice(from).some(({ hello }) => hello.epoch !== before);
      await wait(stage, 'a hello of another epoch', isNew);
      hq.policy.refuseHello = null;
      await wait(stage, 'its first sample', () => {
        const epoch = hq.current()?.hello()?.epoch;
        return epoch !== undefined && epoch !== before && covers(hq.held(epoch), 1, 1);
      });
    },
  );
}
