/** Agents and programs that deliver over HTTP at one HQ: one queue, one limit of agents, and live frames first. */
import { BehaviorSubject, concat, defer, EMPTY, filter, firstValueFrom, ignoreElements, take } from 'rxjs';
import { expect, it } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { Problem } from '../../http/problem.ts';
import { sampleOf } from '../../store/testing/frames.ts';
import { createDeliver } from '../http/deliver.ts';
import { ask, helloOf, joinAs, send, startHq, type TestHq } from '../testing/test-hq.ts';

function delivererOf({ ingest, store }: TestHq) {
  const deliver = createDeliver({ ingest, store, clock: createSystemClock() });
  return (identity: string, agent = 'web') =>
    firstValueFrom(
      deliver({
        agents: [{ agent, samples: [sampleOf(1)] }],
        identity,
        contentDigest: '01'.repeat(32),
      }),
    );
}

it('takes a live frame into the next commit, however many deliveries wait', async () => {
  const open$ = new BehaviorSubject(true);
  const hq = await startHq({
    storage: {
      flush: (write) =>
        concat(
          open$.pipe(filter(Boolean), take(1), ignoreElements()),
          defer(() => {
            write();
            return EMPTY;
          }),
        ),
    },
  });
  const queued = () => Math.round(hq.ingest.commits.load() * 8192);
  const socket = await joinAs(hq, 'a1');
  const seen: string[] = [];
  hq.store.appended$.subscribe(({ frame }) => void seen.push(frame.lane));

  open$.next(false);
  const deliver = delivererOf(hq);
  // For the very agent that sends frames, too: they do not fill its part of the queue.
  const flood = Array.from({ length: 300 }, (_, n) => deliver(`${n}`, n % 2 === 0 ? 'web' : 'a1'));
  const settled = Promise.allSettled(flood);
  const frame = send(socket, 'live', [1, 3]);
  await eventually(() => expect(queued()).toBe(257));
  open$.next(true);

  expect(await frame).toMatchObject({ ok: true, ack: { contiguous: 3 } });
  expect(seen.indexOf('live'), 'behind the one that was in a commit already').toBe(1);
  const results = await settled;
  const receipts = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const problems = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  expect(receipts).toEqual(Array.from({ length: 256 }, () => ({ accepted: 1, duplicate: false })));
  expect(problems).toHaveLength(44);
  for (const problem of problems) {
    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } });
  }
  expect(seen.filter((lane) => lane === 'http')).toHaveLength(256);
});

it('counts agents of both ways for one limit', async () => {
  const hq = await startHq({ limits: { maxAgents: 2 } });
  const deliver = delivererOf(hq);
  expect(await deliver('one', 'web')).toEqual({ accepted: 1, duplicate: false });
  await joinAs(hq, 'a1');
  const hello = await ask(await hq.join(), 'hello', helloOf('a2'));
  expect(hello).toMatchObject({ ok: false, error: { code: 'unavailable' } });
  await expect(deliver('one', 'other')).rejects.toMatchObject({ code: 'too_many_agents' });
  expect(await deliver('two', 'a1')).toEqual({ accepted: 1, duplicate: false });
});
