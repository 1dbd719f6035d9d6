/** What goes when, and what is given up. */
import { describe, expect, it } from 'vitest';
import type { StoredFrame } from '../../journal/port.ts';
import {
  accepted,
  CREDIT,
  delivered,
  frame,
  logic,
  lost,
  ONLINE,
  opened,
  reached,
  read,
  typesOf,
} from '../testing/uplink-logic.ts';
import { LinkError } from './link.ts';
import type { UplinkMessage } from './state.ts';

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
      accepted(),
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
      { ...accepted(), ack } as UplinkMessage,
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
    const notable = reached(opened, accepted(), read('newest', []));
    expect(notable.effects).toMatchObject([{ type: 'read', what: 'notable', after: 0 }]);
    const oldest = reached(opened, accepted(), read('newest', []), read('notable', [frame(7)]));
    expect(oldest.effects).toMatchObject([
      { type: 'deliver', lane: 'backlog', shipment: { firstSeq: 7 } },
      { type: 'read', what: 'oldest', after: 0 },
    ]);
  });

  it('releases once at a time, and again when more has come meanwhile', () => {
    const busy = [opened, accepted(), read('newest', [frame(1)]), read('notable', []), read('oldest', [])];
    expect(typesOf(reached(...busy, delivered(1, 1)).effects)).toEqual(['log_up']);
    expect(reached(...busy, delivered(1, 1), { type: 'released' }).effects).toEqual([
      { type: 'release', acked: { contiguous: 1, ranges: [] } },
    ]);
  });

  it('looks again at a backlog that it read to the end, even though the live lane is never idle', () => {
    const looks: UplinkMessage = { type: 'look_again', pending: 3 };
    const busy = [opened, accepted(), read('newest', [frame(9)]), read('notable', [])];
    // The compacted frame 5–9 is passed over: 9 is on its way by itself.
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
        ...(accepted() as Extract<UplinkMessage, { type: 'accepted' }>),
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
      accepted(0, 100),
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

  it('compacts with what is on its way left out', () => {
    const { effects } = reached(...ONLINE, { type: 'committed', frame: frame(5, 9) }, { type: 'compact' });
    expect(effects).toEqual([{ type: 'compact', busy: [[5, 9]] }]);
    expect(reached(...ONLINE, { type: 'compact' }, { type: 'compact' }).effects).toEqual([]);
  });
});

describe('a thinned frame', () => {
  const thinned: StoredFrame = { ...frame(1, 5_000), kind: 'thinned' };
  const sent = [opened, accepted(), read('newest', []), read('notable', []), read('oldest', [thinned])];

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
      { ...accepted(), connection: connection + 1 } as UplinkMessage,
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
