import {
  map,
  merge,
  NEVER,
  type Observable,
  of,
  Subject,
  type Subscription,
  throwError,
  timer,
  VirtualTimeScheduler,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Link, LinkError, type LinkEvent, type LinkSession } from '../../src/agent/uplink/link.ts';
import { createRoutedLink } from '../../src/agent/uplink/ways/routed-link.ts';
import type { Heartbeat } from '../../src/protocol/events.ts';

const RETURN_MS = 1_000;
const OK = { ok: true as const, hqTs: 0, ack: { contiguous: 0, ranges: [] as [number, number][] } };

type WayState = 'up' | 'refuses' | 'hangs' | 'rejects';

/** Three ways on virtual time, whose state a test changes; a connected one is used at once, as the uplink does. */
function rig() {
  const scheduler = new VirtualTimeScheduler();
  const states: WayState[] = ['up', 'up', 'up'];
  const log: string[] = [];
  const cuts = states.map(() => new Subject<never>());
  const note = (text: string) => void log.push(`${scheduler.frame} ${text}`);
  const linkOf = (index: number): Link => ({
    connect: (): Observable<LinkEvent> => {
      const state = states[index];
      note(`try ${index}`);
      if (state === 'refuses') return throwError(() => new LinkError('refused', `Nothing at ${index}.`));
      if (state === 'hangs') return NEVER;
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
    ways: states.map((_, index) => ({
      way: { index, url: `http://w${index}`, maxLane: 'backlog' },
      link: linkOf(index),
      probe: () =>
        timer(5, scheduler).pipe(map(() => ({ answers: states[index] === 'up', sent: 100, received: 200 }))),
    })),
  });
  let until = 0;
  let session: LinkSession | null = null;
  let error: LinkError | null = null;
  const connect = (): Subscription => {
    session = null;
    error = null;
    return link.connect().subscribe({
      next: (event) => {
        if (event.type !== 'open') return;
        session = event.session;
        note(`open ${session.way.index}`);
        session.heartbeat({} as Heartbeat).subscribe();
      },
      error: (failure) => {
        error = failure;
        note(`end ${failure.kind}`);
      },
    });
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
  return { states, log, connect, cut, run, session: () => session, error: () => error };
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
    expect(log.at(-1)).toMatch(/ end moved$/);
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
});
