import { describe, expect, it } from 'vitest';
import { createReadGate, type ReadGateState, type ReadTicket } from './read-gate.ts';

const NOTHING: ReadGateState = { active: 0, waiting: 0, bytes: 0 };

function gateOf(options: { maxActive: number; maxBytes: number }) {
  let state = NOTHING;
  const gate = createReadGate({ ...options, onChange: (next) => (state = next) });
  const begun: string[] = [];
  const tickets = new Map<string, ReadTicket>();
  /** `name`: the client, and a number. */
  const enter = (name: string, bytes = 1) =>
    gate.enter({ client: name.slice(0, 1), bytes }).subscribe((ticket) => {
      begun.push(name);
      tickets.set(name, ticket);
    });
  return { enter, begun, ticket: (name: string) => tickets.get(name), state: () => state };
}

describe('the gate of reads', () => {
  it('lets so many in at once, and the next when one has worked', () => {
    const { enter, begun, ticket, state } = gateOf({ maxActive: 2, maxBytes: 100 });
    for (const name of ['a1', 'a2', 'a3']) enter(name);
    expect(begun).toEqual(['a1', 'a2']);
    expect(state()).toEqual({ active: 2, waiting: 1, bytes: 2 });
    ticket('a1')?.worked();
    expect(begun).toEqual(['a1', 'a2', 'a3']);
    expect(state()).toEqual({ active: 2, waiting: 0, bytes: 3 });
    for (const name of begun) ticket(name)?.release();
    expect(state()).toEqual(NOTHING);
  });

  it('lets clients take turns, however many reads one has', () => {
    const { enter, begun, ticket } = gateOf({ maxActive: 1, maxBytes: 100 });
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) enter(name);
    for (let at = 0; at < begun.length; at += 1) ticket(begun[at] ?? '')?.release();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('bounds the memory that is held until answers are gone, and what one client has of it', () => {
    const { enter, begun, ticket, state } = gateOf({ maxActive: 9, maxBytes: 100 });
    enter('a1', 40);
    enter('a2', 40);
    expect(begun).toEqual(['a1']);
    enter('b1', 50);
    enter('c1', 20);
    enter('d1', 10);
    expect(begun).toEqual(['a1', 'b1', 'd1']);
    for (const name of begun) ticket(name)?.worked();
    expect(state()).toEqual({ active: 0, waiting: 2, bytes: 100 });
    ticket('a1')?.release();
    expect(begun).toEqual(['a1', 'b1', 'd1', 'a2']);
    ticket('b1')?.release();
    expect(begun).toEqual(['a1', 'b1', 'd1', 'a2', 'c1']);
  });

  it('lets one in that needs more than there is when nothing else is held', () => {
    const { enter, begun, ticket, state } = gateOf({ maxActive: 9, maxBytes: 100 });
    enter('a1', 1);
    enter('b1', 1000);
    expect(begun).toEqual(['a1']);
    ticket('a1')?.release();
    expect(begun).toEqual(['a1', 'b1']);
    ticket('b1')?.release();
    ticket('b1')?.release();
    expect(state()).toEqual(NOTHING);
  });

  it('forgets who leaves before it is their turn', () => {
    const { enter, begun, ticket, state } = gateOf({ maxActive: 1, maxBytes: 100 });
    enter('a1');
    const waiting = enter('b1');
    enter('c1');
    waiting.unsubscribe();
    expect(state()).toMatchObject({ waiting: 1 });
    ticket('a1')?.release();
    expect(begun).toEqual(['a1', 'c1']);
  });
});
