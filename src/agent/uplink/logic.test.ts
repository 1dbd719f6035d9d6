/** The transitions themselves; what they add up to over time is in marble-tests/agent. */
import { describe, expect, it } from 'vitest';
import type { StoredFrame } from '../../journal/port.ts';
import { WIDE_WINDOW } from '../testing/wide-window.ts';
import { LinkError } from './link.ts';
import { createUplinkLogic } from './logic.ts';
import type { UplinkEffect, UplinkMessage, UplinkState } from './state.ts';

const logic = createUplinkLogic({
  maxInFlight: 2,
  liveLingerMs: 100,
  backoffInitialMs: 1_000,
  backoffMaxMs: 60_000,
});
const CREDIT = { frames: 8, bytes: Number.POSITIVE_INFINITY };
const limits = { maxFrameBytes: 1_000, maxFrameSamples: 100, maxSeries: 10 };

function frame(firstSeq: number, lastSeq = firstSeq): StoredFrame {
  return { firstSeq, lastSeq, kind: 'data', notable: false, tsMin: 0, tsMax: 0, bytes: new Uint8Array(10) };
}
const greeted = (contiguous = 0, sampled = 100): UplinkMessage => ({
  type: 'greeted',
  connection: 1,
  ack: { contiguous, ranges: [] },
  credit: CREDIT,
  limits,
  window: WIDE_WINDOW,
  sampled,
  released: 0,
  reconnectMs: null,
});
const lost = (error: LinkError, jitter = 0.5): UplinkMessage => ({
  type: 'lost',
  connection: 1,
  error,
  at: 500,
  tookMs: 0,
  jitter,
});
const read = (
  what: 'newest' | 'notable' | 'oldest',
  frames: StoredFrame[],
  exhausted = true,
): UplinkMessage => ({
  type: 'read',
  connection: 1,
  what,
  frames,
  exhausted,
});
const delivered = (firstSeq: number, contiguous: number): UplinkMessage => ({
  type: 'delivered',
  connection: 1,
  firstSeq,
  ack: { contiguous, ranges: [] },
  credit: CREDIT,
  sampled: 100,
});
const opened: UplinkMessage = { type: 'opened', connection: 1 };
const ONLINE = [opened, greeted(), read('newest', []), read('notable', []), read('oldest', [])];

function reached(...messages: readonly UplinkMessage[]): {
  state: UplinkState;
  effects: readonly UplinkEffect[];
} {
  let [state, effects] = logic.initial();
  for (const message of messages) [state, effects] = logic.transition(state, message);
  return { state, effects };
}
const typesOf = (effects: readonly UplinkEffect[]) => effects.map(({ type }) => type);

const heard = (reconnectMs: number | null): UplinkMessage => ({
  type: 'heartbeat_acked',
  connection: 1,
  ack: { contiguous: 0, ranges: [] },
  sampled: 100,
  storing: null,
  reconnectMs,
});

it.each([
  ['the hint of hello', [], 1_000],
  ['what a heartbeat says later', [heard(30_000)], 15_000],
  ['the last hint, when heartbeats say no more', [heard(30_000), heard(null)], 15_000],
])('spreads its reconnects by %s', (_what, heartbeats, ms) => {
  const [first, , ...rest] = ONLINE;
  const hinted = { ...greeted(), reconnectMs: 2_000 } as UplinkMessage;
  const gone = lost(new LinkError('closed', 'HQ is gone'));
  const { effects } = reached(first as UplinkMessage, hinted, ...rest, ...heartbeats, gone);
  expect(effects).toContainEqual({ type: 'wait', connection: 1, ms });
});

describe('phases', () => {
  it.each<[string, UplinkMessage[], UplinkState['phase'], UplinkEffect['type'][]]>([
    ['begins by connecting', [], 'connecting', ['connect']],
    ['greets an open link', [opened], 'greeting', ['greet']],
    ['is online once greeted, and asks for the newest', [opened, greeted()], 'online', ['release', 'read']],
    [
      'waits after a failure',
      [lost(new LinkError('refused', 'no'))],
      'waiting',
      ['disconnect', 'log_down', 'wait'],
    ],
    [
      'connects anew when the wait is over',
      [lost(new LinkError('refused', 'no')), { type: 'retry', connection: 1 }],
      'connecting',
      ['connect'],
    ],
    [
      'takes no second failure of one connection',
      [lost(new LinkError('closed', '')), lost(new LinkError('closed', ''))],
      'waiting',
      [],
    ],
    ['stops at once while connecting', [{ type: 'stop' }], 'stopped', ['disconnect']],
    ['a greeting out of turn changes nothing', [greeted()], 'connecting', []],
    [
      'an answer of another connection changes nothing',
      [opened, { ...greeted(), connection: 9 } as UplinkMessage],
      'greeting',
      [],
    ],
    ['a greeting that acknowledges the future is a violation', [opened, greeted(101)], 'greeting', ['fail']],
    [
      'says goodbye before it stops',
      [...ONLINE, { type: 'released' }, { type: 'stop' }],
      'leaving',
      ['leave_deadline', 'farewell'],
    ],
    [
      'stops once the goodbye is said',
      [...ONLINE, { type: 'released' }, { type: 'stop' }, { type: 'left', connection: 1 }],
      'stopped',
      ['disconnect'],
    ],
  ])('%s', (_what, messages, phase, effects) => {
    const result = reached(...messages);
    expect(result.state.phase).toBe(phase);
    expect(typesOf(result.effects)).toEqual(effects);
  });

  it.each([
    ['refused', 0, 0.5, 500],
    ['refused', 0, 0, 0],
    ['refused', 3, 0.5, 4_000],
    ['refused', 5, 0.999, 31_968],
    // A tenth of the 60 s is left to connect in.
    ['refused', 6, 0.999, 53_946],
    ['refused', 30, 0.999, 53_946],
  ] as const)('%s after %d failures with a draw of %d waits %d ms', (kind, failures, jitter, ms) => {
    let [state] = logic.initial();
    for (let count = 0; count < failures; count += 1) {
      const { connection } = state.memory;
      [state] = logic.transition(state, { ...lost(new LinkError(kind, '')), connection } as UplinkMessage);
      [state] = logic.transition(state, { type: 'retry', connection });
    }
    const { connection } = state.memory;
    const [next] = logic.transition(state, {
      ...lost(new LinkError(kind, ''), jitter),
      connection,
    } as UplinkMessage);
    expect(next).toMatchObject({ phase: 'waiting', until: 500 + ms });
  });

  it.each([
    ['other_hq', 40_500],
    ['redirect', 500],
    ['closed', 1_000],
    ['proxy', 1_000],
    ['budget', 1_000],
    ['token_file', 1_000],
  ] as const)('after %s waits what that failure needs, though the way has worked', (kind, ms) => {
    const [first, , ...rest] = ONLINE;
    const hinted = { ...greeted(), reconnectMs: 2_000 } as UplinkMessage;
    const { effects } = reached(
      first as UplinkMessage,
      hinted,
      ...rest,
      lost(new LinkError(kind, 'no'), 0.5),
    );
    const waits = effects.flatMap((effect) => (effect.type === 'wait' ? [effect.ms] : []));
    expect(waits).toEqual([ms]);
  });

  it.each([
    ['a quick refusal', 'refused', 300, 700],
    ['a silent attempt', 'timeout', 4_000, 0],
    ['one that HQ ended after its greeting took long', 'closed', 900, 100],
  ] as const)('tries a way that has worked at a pace of attempts: after %s', (_what, kind, tookMs, ms) => {
    const [first, , ...rest] = ONLINE;
    const hinted = { ...greeted(), reconnectMs: 2_000 } as UplinkMessage;
    const gone = lost(new LinkError('closed', 'HQ is gone'));
    const failed = { ...lost(new LinkError(kind, 'no')), connection: 2, tookMs } as UplinkMessage;
    const retry: UplinkMessage = { type: 'retry', connection: 1 };
    const { effects } = reached(first as UplinkMessage, hinted, ...rest, gone, retry, failed);
    expect(effects).toContainEqual({ type: 'wait', connection: 2, ms });
  });

  it('spreads agents whose connection was lost, however long it had lasted', () => {
    const [first, , ...rest] = ONLINE;
    const hinted = { ...greeted(), reconnectMs: 2_000 } as UplinkMessage;
    const gone = { ...lost(new LinkError('closed', 'HQ is gone')), tookMs: 3_600_000 } as UplinkMessage;
    const { effects } = reached(first as UplinkMessage, hinted, ...rest, gone);
    expect(effects).toContainEqual({ type: 'wait', connection: 1, ms: 1_000 });
  });

  it('says when a data budget lets the next connection through, and asks it all the time', () => {
    const { state, effects } = reached(lost(new LinkError('budget', 'used up', { againMs: 3_000_000 }), 0.5));
    expect(state).toMatchObject({ phase: 'waiting', until: 3_000_500 });
    expect(effects).toContainEqual(expect.objectContaining({ type: 'log_down', retryMs: 3_000_000 }));
    const waits = effects.flatMap((effect) => (effect.type === 'wait' ? [effect.ms] : []));
    expect(waits).toHaveLength(1);
    expect(waits[0]).toBeLessThan(60_000);
  });

  it('goes on over another way at once, whatever the refusal was', () => {
    const refused = new LinkError('other_hq', 'another HQ', { isElsewhere: true });
    const { effects } = reached(opened, lost(refused));
    expect(effects).toContainEqual({ type: 'wait', connection: 1, ms: 0 });
    expect(effects).toContainEqual(
      expect.objectContaining({ type: 'log_down', kind: 'other_hq', retryMs: 0 }),
    );
  });

  it("waits at least as long as HQ asks, and long for what haste doesn't mend", () => {
    const asked = new LinkError('rejected', '', {
      wire: { code: 'unavailable', message: '', retryAfterMs: 9_000 },
    });
    expect(reached(lost(asked)).state).toMatchObject({ until: 9_500 });
    const refused = new LinkError('unauthorized', '', { wire: { code: 'unauthorized', message: '' } });
    expect(reached(lost(refused)).state).toMatchObject({ until: 41_000 });
  });
});

describe('a greeting', () => {
  const again: UplinkMessage[] = [
    { type: 'retry', connection: 1 },
    { ...opened, connection: 2 } as UplinkMessage,
    { ...greeted(), connection: 2 } as UplinkMessage,
  ];

  it.each<[string, UplinkMessage[], boolean]>([
    ['after HQ could not be reached', [lost(new LinkError('refused', ''))], true],
    ['after a greeting without an answer', [opened, lost(new LinkError('timeout', ''))], true],
    ['after HQ closed the connection', [...ONLINE, lost(new LinkError('closed', ''))], true],
    ['after a frame without an answer', [...ONLINE, lost(new LinkError('timeout', ''))], false],
  ])('%s has the breaker tried only if it is news', (_what, messages, isNews) => {
    const { effects } = reached(...messages, ...again);
    expect(typesOf(effects).includes('try_breaker')).toBe(isNews);
    expect(typesOf(effects)).toContain('read');
  });
});

describe('lanes', () => {
  it('sends what is committed at once', () => {
    const { effects } = reached(...ONLINE, { type: 'committed', frame: frame(5) });
    expect(effects).toMatchObject([{ type: 'deliver', lane: 'live', shipment: { firstSeq: 5, lastSeq: 5 } }]);
  });

  it('never sends a seq that is in flight already', () => {
    const committed: UplinkMessage = { type: 'committed', frame: frame(5) };
    expect(reached(...ONLINE, committed, committed).effects).toEqual([]);
    const { effects } = reached(
      opened,
      greeted(),
      committed,
      read('newest', [frame(5)]),
      read('notable', []),
      read('oldest', [frame(4), frame(5)], false),
    );
    expect(effects).toMatchObject([
      { type: 'deliver', lane: 'backlog', shipment: { firstSeq: 4 } },
      { type: 'read', what: 'oldest', after: 5 },
    ]);
  });

  it.each([
    ['in flight', [], [1, 3]],
    ['at HQ already', [[4, 4]], [1, 3]],
  ] as const)('leaves what is %s out of a batch of the backlog', (what, held, [first, last]) => {
    const ack = { contiguous: 0, ranges: held.map(([from, to]): [number, number] => [from, to]) };
    const newest = what === 'in flight' ? [frame(4), frame(5)] : [];
    const { effects } = reached(
      opened,
      { ...greeted(), ack } as UplinkMessage,
      read('newest', newest),
      read('notable', []),
      read(
        'oldest',
        [1, 2, 3, 4, 5].map((seq) => frame(seq)),
      ),
    );
    const sent = effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.shipment] : []));
    expect(sent[0]).toMatchObject({ firstSeq: first, lastSeq: last });
    expect(sent.slice(1).map(({ firstSeq }) => firstSeq)).toEqual(what === 'in flight' ? [] : [5]);
  });

  it('leaves commits to the journal while offline', () => {
    expect(reached({ type: 'committed', frame: frame(5) }).effects).toEqual([]);
  });

  it('reads on after what it has seen, when nothing is left to be sent', () => {
    const notable = reached(opened, greeted(), read('newest', []));
    expect(notable.effects).toMatchObject([{ type: 'read', what: 'notable', after: 0 }]);
    const oldest = reached(opened, greeted(), read('newest', []), read('notable', [frame(7)]));
    expect(oldest.effects).toMatchObject([
      { type: 'deliver', lane: 'backlog', shipment: { firstSeq: 7 } },
      { type: 'read', what: 'oldest', after: 0 },
    ]);
  });

  it('releases once at a time, and again when more has come meanwhile', () => {
    const busy = [opened, greeted(), read('newest', [frame(1)]), read('notable', []), read('oldest', [])];
    expect(typesOf(reached(...busy, delivered(1, 1)).effects)).toEqual(['log_up']);
    expect(reached(...busy, delivered(1, 1), { type: 'released' }).effects).toEqual([
      { type: 'release', acked: { contiguous: 1, ranges: [] } },
    ]);
  });

  it('looks again at a backlog that it read to the end, even though the live lane is never idle', () => {
    const looks: UplinkMessage = { type: 'look_again', pending: 3 };
    const busy = [opened, greeted(), read('newest', [frame(9)]), read('notable', [])];
    // The sealed frame 5–9 is passed over: 9 is on its way by itself.
    const { effects } = reached(...busy, read('oldest', [frame(5, 9)]), looks);
    expect(effects).toMatchObject([{ type: 'read', what: 'oldest', after: 0 }]);
    expect(reached(...busy, read('oldest', []), { ...looks, pending: 0 }).effects).toEqual([]);
  });

  it.each<[string, Partial<StoredFrame>]>([
    ['is downsampled', { kind: 'thinned' }],
    // Ten zeros.
    ['cannot be read', {}],
  ])(
    'sends a frame whole of which a part has arrived, when it %s, and does not read it over and over',
    (_what, is) => {
      const partly: UplinkMessage = {
        ...(greeted() as Extract<UplinkMessage, { type: 'greeted' }>),
        ack: { contiguous: 0, ranges: [[3, 5]] },
      };
      const found = read('oldest', [{ ...frame(1, 10), ...is }]);
      const { effects } = reached(opened, partly, read('newest', []), read('notable', []), found);
      expect(effects).toMatchObject([
        { type: 'deliver', lane: 'backlog', shipment: { firstSeq: 1, lastSeq: 10 } },
      ]);
    },
  );

  it('does not read the backlog over and over while live frames linger', () => {
    const committed = [1, 2, 3, 4, 5, 6].map(
      (seq): UplinkMessage => ({ type: 'committed', frame: frame(seq) }),
    );
    const everything = [1, 2, 3, 4, 5, 6].map((seq) => frame(seq));
    const passedOver: UplinkMessage[] = [{ type: 'look_again', pending: 6 }, read('oldest', everything)];
    const arrived = [1, 2, 3, 4].map((seq) => delivered(seq, seq));
    const { state, effects } = reached(...ONLINE, ...committed, ...passedOver, ...arrived);
    expect(state).toMatchObject({ live: { inFlight: [], linger: 'gathering' }, backlog: { skipped: true } });
    expect(typesOf(effects)).not.toContain('read');
    const [sent, deliveries] = logic.transition(state, { type: 'linger_over', connection: 1 });
    expect(typesOf(deliveries)).toEqual(['deliver']);
    const [, after] = logic.transition(sent, delivered(5, 6));
    expect(after).toContainEqual(expect.objectContaining({ type: 'read', what: 'oldest', after: 0 }));
  });

  it('believes what an earlier process may have sent, which the first ack need not name, and nothing later', () => {
    const busy = [
      opened,
      greeted(0, 100),
      read('newest', [frame(1)]),
      read('notable', []),
      read('oldest', []),
    ];
    const answer = (first: number, last: number): UplinkMessage => ({
      type: 'delivered',
      connection: 1,
      firstSeq: 1,
      ack: { contiguous: 1, ranges: [[first, last]] },
      credit: CREDIT,
      sampled: 200,
    });
    expect(typesOf(reached(...busy, answer(50, 60)).effects)).toContain('log_up');
    expect(typesOf(reached(...busy, answer(90, 110)).effects)).toEqual(['fail']);
  });

  it('seals with what is on its way left out', () => {
    const { effects } = reached(...ONLINE, { type: 'committed', frame: frame(5, 9) }, { type: 'seal' });
    expect(effects).toEqual([{ type: 'seal', busy: [[5, 9]] }]);
    expect(reached(...ONLINE, { type: 'seal' }, { type: 'seal' }).effects).toEqual([]);
  });
});

describe('a thinned frame', () => {
  const thinned: StoredFrame = { ...frame(1, 5_000), kind: 'thinned' };
  const sent = [opened, greeted(), read('newest', []), read('notable', []), read('oldest', [thinned])];

  it('that HQ refuses is given up as a whole: it cannot be halved', () => {
    const refused: UplinkMessage = { type: 'poisoned', connection: 1, firstSeq: 1, detail: 'bad_frame: no' };
    const { effects } = reached(...sent, refused);
    expect(effects).toContainEqual(
      expect.objectContaining({ type: 'reject', origin: 1, originLast: 5_000, samples: 5_000 }),
    );
    expect(typesOf(effects)).not.toContain('bisect');
  });

  it('that was in flight at three disconnects travels alone, and is given up after three more', () => {
    const broken = lost(new LinkError('closed', 'gone'));
    const again = (connection: number): UplinkMessage[] => [
      { type: 'retry', connection },
      { type: 'opened', connection: connection + 1 },
      { ...greeted(), connection: connection + 1 } as UplinkMessage,
    ];
    let messages: UplinkMessage[] = [...sent, broken];
    let rejected = 0;
    for (let connection = 1; connection < 8 && rejected === 0; connection += 1) {
      messages = [...messages, ...again(connection)];
      const asked = reached(...messages).effects.some(({ type }) => type === 'read');
      if (asked) {
        const next = connection + 1;
        messages = [
          ...messages,
          { ...read('newest', []), connection: next } as UplinkMessage,
          { ...read('notable', []), connection: next } as UplinkMessage,
          { ...read('oldest', [thinned]), connection: next } as UplinkMessage,
        ];
      }
      messages = [...messages, { ...broken, connection: connection + 1 } as UplinkMessage];
      if (typesOf(reached(...messages).effects).includes('reject')) rejected = connection + 1;
    }
    expect(rejected).toBe(6);
  });
});
