import {
  map,
  merge,
  NEVER,
  type Observable,
  of,
  Subject,
  Subscription,
  throwError,
  timer,
  VirtualTimeScheduler,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Link, LinkError, type LinkEvent, type LinkSession } from '../../src/agent/uplink/link.ts';
import { createRoutedLink } from '../../src/agent/uplink/ways/routed-link.ts';
import type { Heartbeat } from '../../src/protocol/events.ts';

const ANSWERS: ReadonlySet<string> = new Set(['up', 'other', 'locked', 'tokenless']);
const RETURN_MS = 1_000;
const OK = { ok: true as const, hqTs: 0, ack: { contiguous: 0, ranges: [] as [number, number][] } };

/** `other`: another HQ, which says so in its answer to hello only. `locked`: HQ is there, and refuses the token. */
type WayState =
  | 'up'
  | 'refuses'
  | 'hangs'
  | 'rejects'
  | 'other'
  | 'locked'
  | 'busy'
  | 'taken'
  | 'tokenless'
  | 'drops';
const REFUSALS = {
  drops: new LinkError('closed', 'Dropped.'),
  other: new LinkError('other_hq', 'Another HQ.'),
  busy: new LinkError('rejected', 'Later.', { wire: { code: 'unavailable', message: 'later' } }),
  taken: new LinkError('rejected', 'Taken.', { wire: { code: 'duplicate_agent', message: 'taken' } }),
};

const refusalOf = (state: WayState | undefined) =>
  state === 'other' || state === 'drops' || state === 'busy' || state === 'taken' ? REFUSALS[state] : null;

/**
 * Three ways on virtual time, whose state a test changes; a connected one is used at once, as the uplink does, and so
 * is what is elsewhere.
 */
function rig() {
  const scheduler = new VirtualTimeScheduler();
  const states: WayState[] = ['up', 'up', 'up'];
  const log: string[] = [];
  const failed: string[] = [];
  const cuts = states.map(() => new Subject<never>());
  const note = (text: string) => void log.push(`${scheduler.frame} ${text}`);
  const linkOf = (index: number): Link => ({
    connect: (): Observable<LinkEvent> => {
      const state = states[index];
      note(`try ${index}`);
      if (state === 'refuses') return throwError(() => new LinkError('refused', `Nothing at ${index}.`));
      if (state === 'hangs') return NEVER;
      if (state === 'tokenless') return throwError(() => new LinkError('token_file', 'No file.'));
      if (state === 'locked') return throwError(() => new LinkError('unauthorized', `Locked ${index}.`));
      const session = {
        way: { index, url: `http://w${index}`, maxLane: 'backlog' },
        heartbeat: () => (state === 'rejects' ? NEVER : of(OK)),
        traffic: () => ({ sent: 10, received: 20 }),
      } as unknown as LinkSession;
      return merge(of<LinkEvent>({ type: 'open', session }), cuts[index] ?? NEVER);
    },
  });
  const link = createRoutedLink({
    returnAfterMs: RETURN_MS,
    clock: { scheduler },
    watch: {
      failed: ({ index }, failure) => void failed.push(`${index} ${failure?.kind}`),
      works: ({ index }) => void failed.push(`${index} works`),
    },
    ways: states.map((_, index) => ({
      way: { index, url: `http://w${index}`, maxLane: 'backlog' },
      link: linkOf(index),
      probe: () =>
        timer(5, scheduler).pipe(
          map(() => ({ answers: ANSWERS.has(states[index] ?? ''), sent: 100, received: 200 })),
        ),
    })),
  });
  let until = 0;
  let session: LinkSession | null = null;
  let error: LinkError | null = null;
  const connect = (): Subscription => {
    session = null;
    error = null;
    const subscription = new Subscription();
    const end = (failure: LinkError) => {
      error = link.judge?.(failure) ?? failure;
      note(`end ${error.kind}${error.isElsewhere ? ', elsewhere' : ''}`);
      subscription.unsubscribe();
      if (error.isElsewhere) connect();
    };
    subscription.add(
      link.connect().subscribe({
        next: (event) => {
          if (event.type !== 'open') return;
          session = event.session;
          note(`open ${session.way.index}`);
          const refusal = refusalOf(states[session.way.index]);
          if (refusal !== null) end(refusal);
          else session.heartbeat({} as Heartbeat).subscribe();
        },
        error: end,
      }),
    );
    return subscription;
  };
  const cut = (index: number) => {
    const cut$ = cuts[index];
    cuts[index] = new Subject<never>();
    cut$?.error(new LinkError('closed', 'gone'));
  };
  const run = (ms: number) => {
    until += ms;
    scheduler.maxFrames = until;
    scheduler.flush();
  };
  return { states, log, failed, connect, cut, run, session: () => session, error: () => error };
}

describe('a link over several ways', () => {
  it('takes the next way at once when one cannot be opened, and then first', () => {
    const { states, log, connect, cut } = rig();
    states[0] = 'refuses';
    connect();
    cut(1);
    connect();
    expect(log).toEqual(['0 try 0', '0 try 1', '0 open 1', '0 end closed', '0 try 1', '0 open 1']);
  });

  it('fails as the first way did when all do, and says what came of the others', () => {
    const { states, log, connect, error } = rig();
    states.fill('refuses');
    connect();
    expect(log).toEqual(['0 try 0', '0 try 1', '0 try 2', '0 end refused']);
    for (const index of [0, 1, 2]) expect(error()?.message).toContain(`Nothing at ${index}.`);
  });

  it('goes on behind a way that hangs until the uplink gives up, and gives the next one its time', () => {
    const { states, log, connect } = rig();
    states[0] = 'hangs';
    states[1] = 'hangs';
    connect().unsubscribe();
    connect().unsubscribe();
    connect();
    expect(log).toEqual(['0 try 0', '0 try 1', '0 try 2', '0 open 2']);
  });

  it('does not give up a way that was tried behind another one', () => {
    const { states, log, connect } = rig();
    states[0] = 'refuses';
    states[1] = 'hangs';
    connect().unsubscribe();
    states[1] = 'up';
    connect();
    expect(log).toEqual(['0 try 0', '0 try 1', '0 try 1', '0 open 1']);
  });

  it('takes the next way when HQ takes nothing over an open one', () => {
    const { states, log, connect } = rig();
    states[0] = 'rejects';
    connect().unsubscribe();
    connect();
    expect(log).toEqual(['0 try 0', '0 open 0', '0 try 1', '0 open 1']);
  });

  it('goes back to a better way once it has answered for long enough', () => {
    const { states, log, connect, run, session } = rig();
    states[0] = 'refuses';
    connect();
    run(2_010);
    expect(log.at(-1)).toBe('0 open 1');
    expect(session()?.traffic()).toEqual({ sent: 810, received: 1_620 });
    states[0] = 'up';
    run(800);
    expect(log.at(-1)).toBe('0 open 1');
    run(1_000);
    // It was opened alongside the standing connection first.
    expect(log.slice(-2)).toEqual([expect.stringMatching(/ try 0$/), expect.stringMatching(/ end moved$/)]);
    connect();
    expect(log.at(-1)).toMatch(/ open 0$/);
  });

  it('stays where it is while the better way comes and goes', () => {
    const { states, log, connect, run } = rig();
    states[0] = 'refuses';
    connect();
    for (let round = 0; round < 20; round += 1) {
      states[0] = round % 3 === 2 ? 'refuses' : 'up';
      run(250);
    }
    expect(log).toEqual(['0 try 0', '0 try 1', '0 open 1']);
  });

  it('asks no better way while it is on the best, and none after the connection ended', () => {
    const { log, connect, run, session } = rig();
    const connection = connect();
    run(10_000);
    expect(session()?.traffic()).toEqual({ sent: 10, received: 20 });
    connection.unsubscribe();
    run(10_000);
    expect(log).toEqual(['0 try 0', '0 open 0']);
  });

  it('goes on at once when the first way leads to another HQ, and does not come back to it', () => {
    const { states, log, connect, run } = rig();
    states[0] = 'other';
    connect();
    expect(log).toEqual(['0 try 0', '0 open 0', '0 end other_hq, elsewhere', '0 try 1', '0 open 1']);
    run(RETURN_MS - 10);
    states[0] = 'locked';
    run(20 * RETURN_MS);
    expect(log.slice(5).every((line) => line.endsWith(' try 0'))).toBe(true);
    // Opened alongside the connection after 2, 5, 10 and 19 s.
    expect(log.length - 5).toBe(4);
  });

  it('goes back to a way that led to another HQ, once somebody has mended it', () => {
    const { states, log, connect, run } = rig();
    states[0] = 'other';
    connect();
    run(10);
    states[0] = 'up';
    run(4 * RETURN_MS);
    expect(log.at(-1)).toMatch(/ end moved$/);
    connect();
    expect(log.at(-1)).toMatch(/ open 0$/);
  });

  it.each<[WayState, string]>([
    ['other', 'other_hq'],
    ['locked', 'unauthorized'],
  ])('does not let a way that is %s slow down the tries of one that may be back', (state, _kind) => {
    const { states, log, connect, error } = rig();
    states[0] = 'refuses';
    states[1] = state;
    states[2] = state;
    connect();
    expect(error()).toMatchObject({ kind: 'refused', isElsewhere: false });
    log.length = 0;
    connect();
    expect(log).toEqual(['0 try 0', '0 end refused']);
  });

  it('does not go elsewhere at once when HQ is busy, nor ever with what no way would change', () => {
    for (const [state, then] of [
      ['busy', 1],
      ['taken', 0],
    ] as const) {
      const { states, log, connect, error } = rig();
      states[0] = state;
      connect();
      expect(error()).toMatchObject({ kind: 'rejected', isElsewhere: false });
      states[0] = 'up';
      connect();
      expect(log.at(-1)).toBe(`0 open ${then}`);
    }
  });

  it('ends its attempt with what no way would change', () => {
    const { states, log, connect, error } = rig();
    states[0] = 'tokenless';
    connect();
    expect(error()?.kind).toBe('token_file');
    expect(log).toEqual(['0 try 0', '0 end token_file']);
  });

  it('gives each way one turn before the uplink waits, also ways that open and are lost before anything went', () => {
    const { states, log, connect, error } = rig();
    states.fill('drops');
    connect();
    expect(log.filter((line) => line.includes('open'))).toEqual(['0 open 0', '0 open 1', '0 open 2']);
    expect(error()).toMatchObject({ kind: 'closed', isElsewhere: false });
    connect();
    expect(log.filter((line) => line.includes('open')).length).toBe(6);
  });

  it('says which ways work and which do not, also those that open no connection alongside the standing one', () => {
    const { states, log, failed, connect, run } = rig();
    states[0] = 'refuses';
    connect();
    expect(failed).toEqual(['0 refused', '1 works']);
    states[0] = 'locked';
    run(2 * RETURN_MS);
    expect(failed.slice(2)).toEqual(['0 unauthorized']);
    // The agent's own trouble is none of the way.
    states[0] = 'tokenless';
    run(20 * RETURN_MS);
    expect(log.length).toBeGreaterThan(5);
    expect(failed.length).toBe(3);
    const busy = rig();
    busy.states[0] = 'busy';
    busy.connect();
    expect(busy.failed).toEqual([]);
  });
});
