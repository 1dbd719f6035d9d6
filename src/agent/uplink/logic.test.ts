/** The transitions themselves; what they add up to over time is in marble-tests/agent. */
import { describe, expect, it } from 'vitest';
import { accepted, logic, lost, ONLINE, opened, reached, typesOf } from '../testing/uplink-logic.ts';
import { LinkError } from './link.ts';
import type { UplinkEffect, UplinkMessage, UplinkState } from './state.ts';

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
  const hinted = { ...accepted(), reconnectMs: 2_000 } as UplinkMessage;
  const gone = lost(new LinkError('closed', 'HQ is gone'));
  const { effects } = reached(first as UplinkMessage, hinted, ...rest, ...heartbeats, gone);
  expect(effects).toContainEqual({ type: 'wait', connection: 1, ms });
});

describe('phases', () => {
  it.each<[string, UplinkMessage[], UplinkState['phase'], UplinkEffect['type'][]]>([
    ['begins by connecting', [], 'connecting', ['connect']],
    ['accepts an open link', [opened], 'hello', ['sayHello']],
    ['is online once accepted, and asks for the newest', [opened, accepted()], 'online', ['release', 'read']],
    [
      'waits after a failure',
      [lost(new LinkError('refused', 'no'))],
      'waiting',
      ['disconnect', 'log_down', 'wait'],
    ],
    [
      'connects again when the wait is over',
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
    ['a hello out of turn changes nothing', [accepted()], 'connecting', []],
    [
      'an answer of another connection changes nothing',
      [opened, { ...accepted(), connection: 9 } as UplinkMessage],
      'hello',
      [],
    ],
    ['a hello that acknowledges the future is a violation', [opened, accepted(101)], 'hello', ['fail']],
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
    const hinted = { ...accepted(), reconnectMs: 2_000 } as UplinkMessage;
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
    ['one that HQ ended after its hello took long', 'closed', 900, 100],
  ] as const)('tries a way that has worked at a pace of attempts: after %s', (_what, kind, tookMs, ms) => {
    const [first, , ...rest] = ONLINE;
    const hinted = { ...accepted(), reconnectMs: 2_000 } as UplinkMessage;
    const gone = lost(new LinkError('closed', 'HQ is gone'));
    const failed = { ...lost(new LinkError(kind, 'no')), connection: 2, tookMs } as UplinkMessage;
    const retry: UplinkMessage = { type: 'retry', connection: 1 };
    const { effects } = reached(first as UplinkMessage, hinted, ...rest, gone, retry, failed);
    expect(effects).toContainEqual({ type: 'wait', connection: 2, ms });
  });

  it('spreads agents whose connection was lost, however long it had lasted', () => {
    const [first, , ...rest] = ONLINE;
    const hinted = { ...accepted(), reconnectMs: 2_000 } as UplinkMessage;
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

describe('a hello', () => {
  const again: UplinkMessage[] = [
    { type: 'retry', connection: 1 },
    { ...opened, connection: 2 } as UplinkMessage,
    { ...accepted(), connection: 2 } as UplinkMessage,
  ];

  it.each<[string, UplinkMessage[], boolean]>([
    ['after HQ could not be reached', [lost(new LinkError('refused', ''))], true],
    ['after a hello without an answer', [opened, lost(new LinkError('timeout', ''))], true],
    ['after HQ closed the connection', [...ONLINE, lost(new LinkError('closed', ''))], true],
    ['after a frame without an answer', [...ONLINE, lost(new LinkError('timeout', ''))], false],
  ])('%s has the breaker tried only if it is news', (_what, messages, isNews) => {
    const { effects } = reached(...messages, ...again);
    expect(typesOf(effects).includes('try_breaker')).toBe(isNews);
    expect(typesOf(effects)).toContain('read');
  });
});
