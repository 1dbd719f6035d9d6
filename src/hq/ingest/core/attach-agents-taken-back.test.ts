/** What an agent hears of samples that HQ had confirmed and that turned out unreadable. */
import { Subject } from 'rxjs';
import { expect, it } from 'vitest';
import type { TakenBack } from '../../store/store.ts';
import { EPOCH } from '../../store/testing/frames.ts';
import { ended, joinAs, startHq } from '../testing/test-hq.ts';
import type { LinkEvent } from './link-event.ts';

const taken = { agent: 'a1', epoch: EPOCH, again: 5, lost: 2 };

async function withAgents() {
  const takenBack$ = new Subject<TakenBack>();
  const hq = await startHq({ engine: (store) => ({ ...store, takenBack$ }) });
  const links: LinkEvent[] = [];
  hq.gateway.links$.subscribe((event) => links.push(event));
  const [concerned, other] = [await joinAs(hq, 'a1'), await joinAs(hq, 'a2')];
  const alarms = () => links.filter(({ kind }) => kind === 'alarm');
  return { hq, takenBack$, concerned, other, alarms };
}

it('ends the connection of its agent, which then says hello to hear what HQ holds', async () => {
  const { hq, takenBack$, concerned, other, alarms } = await withAgents();
  takenBack$.next(taken);
  await ended(concerned);
  expect(other.connected).toBe(true);
  expect(alarms()).toMatchObject([
    { agent: 'a1', alarm: 'damaged_at_hq', detail: expect.stringMatching(/^5 samples of a1 .*; 2 are/) },
  ]);
  // The lease went with the connection: another process of the agent is let in without a probe.
  const again = await joinAs(hq, 'a1', { instance: 'a1-2' });
  expect(again.connected).toBe(true);
});

it('leaves an agent alone that has nothing to send again', async () => {
  const { takenBack$, concerned, alarms } = await withAgents();
  takenBack$.next({ ...taken, again: 0 });
  expect(alarms()).toHaveLength(1);
  expect((await joinedStill(concerned)) && concerned.connected).toBe(true);
});

/** By an answer of HQ. */
const joinedStill = async (socket: Awaited<ReturnType<typeof joinAs>>): Promise<boolean> => {
  const reply: unknown = await socket.timeout(10_000).emitWithAck('schema', {});
  return reply !== undefined;
};
