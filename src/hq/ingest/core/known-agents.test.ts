import { firstValueFrom, of, Subject } from 'rxjs';
import { expect, it } from 'vitest';
import { loadKnownAgents, PurgeRunningError } from './known-agents.ts';

const NO_COUNTS = { sampled: 0, stored: 0, pending: 0, thinned: 0, dropped: 0 };
const registry = (...agents: string[]) =>
  firstValueFrom(
    loadKnownAgents({
      store: {
        agents: () =>
          of(agents.map((agent) => ({ agent, epoch: 'aaaaaaaaaaaa', firstSeenTs: 0, owned: false }))),
        agent: () => of(null),
        purgeOf: (agent) => of(agent === 'going' ? { ts: 0, counts: NO_COUNTS, isDone: false } : null),
      },
      maxAgents: 2,
    }),
  );

it('retires nobody who is connected, or of whom something is being looked at', async () => {
  const known = await registry('a', 'b');
  const free = known.occupy('a');
  const places = await firstValueFrom(known.claim(['b']));
  for (const agent of ['a', 'b']) expect(await firstValueFrom(known.retire(agent, of(true)))).toBeNull();
  free();
  free();
  places?.giveBack();
  for (const agent of ['a', 'b']) expect(await firstValueFrom(known.retire(agent, of(true)))).toBe(true);
  expect(known.size()).toBe(0);
});

it('lets who claims an agent wait until it is retired, and take a place again', async () => {
  const known = await registry('a', 'b');
  const work = new Subject<boolean>();
  const retired = firstValueFrom(known.retire('a', work));
  let claimed: unknown = 'waits';
  known.claim(['a']).subscribe((places) => {
    claimed = places;
  });
  expect(claimed).toBe('waits');
  expect(known.size()).toBe(2);
  work.next(true);
  expect(known.size()).toBe(1);
  work.complete();
  expect(await retired).toBe(true);
  expect(claimed).not.toBe('waits');
  expect(claimed).not.toBeNull();
  expect(known.size()).toBe(2);
});

it('keeps the place of one whose retirement fails', async () => {
  const known = await registry('a');
  const work = new Subject<boolean>();
  const retired = firstValueFrom(known.retire('a', work));
  work.error(new Error('full'));
  await expect(retired).rejects.toThrow('full');
  expect(known.size()).toBe(1);
  expect(await firstValueFrom(known.retire('a', of(false)))).toBe(false);
  expect(known.size()).toBe(1);
});

it('lets nobody in who is being removed for good, and takes no place for it', async () => {
  const known = await registry('a');
  await expect(firstValueFrom(known.claim(['b', 'going']))).rejects.toThrow(PurgeRunningError);
  expect(known.size()).toBe(1);
  expect(await firstValueFrom(known.claim(['b']))).not.toBeNull();
});
