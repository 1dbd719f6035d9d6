import { expect, it } from 'vitest';
import {
  createRefusals,
  EPISODE_ENDS_MS,
  HELLO_EPISODE_ENDS_MS,
  MAX_EPISODES,
  NAMED_PER_ADDRESS,
} from './refusals.ts';

function createRig() {
  let ms = 0;
  const lines: { readonly address: string; readonly untold: number }[] = [];
  const refusals = createRefusals(
    { now: () => 1_000 + ms, precise: () => ms },
    ({ address, untold }) => void lines.push({ address, untold }),
  );
  const pass = (by: number) => {
    ms += by;
  };
  return { refusals, lines, pass };
}
const refused = (address: string) => ({ address, reason: 'token', over: 'link' }) as const;

it('tells an episode once, and shows how it goes on', () => {
  const { refusals, lines, pass } = createRig();
  for (let count = 0; count < 5; count += 1) {
    refusals.note(refused('10.0.0.1'));
    pass(60_000);
  }
  expect(lines).toEqual([{ address: '10.0.0.1', untold: 0 }]);
  expect(refusals.list()).toEqual([
    {
      ...{ address: '10.0.0.1', reason: 'token', over: 'link', since: 1_000, last: 241_000, attempts: 5 },
      ...{ agent: null, detail: null, advice: expect.stringContaining('--token-file') },
    },
  ]);
});

it('ends an episode that nobody continues, and tells the next one', () => {
  const { refusals, lines, pass } = createRig();
  refusals.note(refused('10.0.0.1'));
  pass(EPISODE_ENDS_MS - 1);
  expect(refusals.list()).toHaveLength(1);
  pass(1);
  expect(refusals.list()).toEqual([]);
  refusals.note(refused('10.0.0.1'));
  expect(lines).toHaveLength(2);
  expect(refusals.list()).toMatchObject([{ attempts: 1 }]);
});

it('keeps places, reasons and ways apart, the latest first', () => {
  const { refusals, lines } = createRig();
  refusals.note(refused('10.0.0.1'));
  refusals.note({ address: '10.0.0.1', reason: 'token', over: 'http' });
  refusals.note({ address: '10.0.0.1', reason: 'host', over: 'http' });
  refusals.note(refused('10.0.0.2'));
  refusals.note(refused('10.0.0.1'));
  expect(lines).toHaveLength(4);
  expect(refusals.list().map(({ address, reason, over }) => [address, reason, over])).toEqual([
    ['10.0.0.1', 'token', 'link'],
    ['10.0.0.2', 'token', 'link'],
    ['10.0.0.1', 'host', 'http'],
    ['10.0.0.1', 'token', 'http'],
  ]);
});

it('holds and tells no more than its bounds, whatever addresses come, and counts what it does not tell', () => {
  const { refusals, lines, pass } = createRig();
  for (let count = 0; count < 10_000; count += 1) refusals.note(refused(`2001:db8::${count.toString(16)}`));
  expect(refusals.list()).toHaveLength(MAX_EPISODES);
  expect(refusals.list()[0]?.address).toBe('2001:db8::270f');
  expect(lines).toHaveLength(10);
  pass(6_000);
  refusals.note(refused('10.0.0.1'));
  expect(lines.at(-1)).toEqual({ address: '10.0.0.1', untold: 9_990 });
});

const hello = (agent: string, address = '10.0.0.1') =>
  ({ address, agent, reason: 'other_hq', over: 'link', detail: 'why' }) as const;

it('names the agents whose hello is refused, until they are let in or come no more', () => {
  const { refusals, lines, pass } = createRig();
  for (const agent of ['a', 'b']) refusals.note(hello(agent));
  refusals.note({ ...hello('b'), reason: 'duplicate_agent' });
  expect(refusals.list()).toMatchObject([
    { agent: 'b', reason: 'duplicate_agent', detail: 'why' },
    { agent: 'b', reason: 'other_hq' },
    { agent: 'a', reason: 'other_hq', advice: expect.stringContaining('--new-epoch') },
  ]);
  // What HQ logs apart already is not logged twice.
  expect(lines).toHaveLength(2);
  refusals.letIn('b');
  expect(refusals.list().map(({ agent, reason }) => [agent, reason])).toEqual([
    ['b', 'duplicate_agent'],
    ['a', 'other_hq'],
  ]);
  pass(EPISODE_ENDS_MS);
  expect(refusals.list()).toHaveLength(2);
  pass(HELLO_EPISODE_ENDS_MS - EPISODE_ENDS_MS);
  expect(refusals.list()).toEqual([]);
});

it('counts the names that one address claims as one beyond a bound, and leaves others alone', () => {
  const { refusals } = createRig();
  for (let count = 0; count < 5_000; count += 1) refusals.note(hello(`a${count}`));
  refusals.note(hello('b', '10.0.0.2'));
  const [other, rest, ...named] = refusals.list();
  expect(other).toMatchObject({ agent: 'b' });
  expect(rest).toMatchObject({ agent: null, detail: null, attempts: 5_000 - NAMED_PER_ADDRESS });
  expect(named).toHaveLength(NAMED_PER_ADDRESS);
});
