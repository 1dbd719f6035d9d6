/** Agents at an HQ whose store is another engine: each of its answers takes its time. */
import {
  asyncScheduler,
  concat,
  defer,
  firstValueFrom,
  ignoreElements,
  Subject,
  switchMap,
  take,
  throwError,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { createSystemClock } from '../../../platform/clock.ts';
import { seededRandom } from '../../../platform/random.ts';
import { StorageError } from '../../../storage/storage.ts';
import type { HqStore } from '../../store/store.ts';
import { sampleOf } from '../../store/testing/frames.ts';
import { lateStore } from '../../store/testing/late-store.ts';
import { ledgerOf } from '../../store/testing/read.ts';
import { createDeliver } from '../http/deliver.ts';
import { ask, ended, epochOf, HEARTBEAT, helloOf, joinAs, send, startHq } from '../testing/test-hq.ts';

function late(store: HqStore): HqStore {
  const random = seededRandom(3);
  return lateStore(store, { scheduler: asyncScheduler, delayMs: () => random.next() * 5 });
}

/** Each question about an epoch waits until it is answered; `notes`: how many were taken. */
function gate() {
  const questions: Subject<void>[] = [];
  const gated = {
    notes: 0,
    /** Resolves once so many have been asked. */
    asked: (count: number) => eventually(() => expect(questions).toHaveLength(count), { interval: 5 }),
    answer: (index: number) => questions[index]?.next(),
  };
  const engine = (store: HqStore): HqStore => ({
    ...store,
    epoch: (agent, epoch) =>
      defer(() => {
        const question = new Subject<void>();
        questions.push(question);
        return question.pipe(
          take(1),
          switchMap(() => store.epoch(agent, epoch)),
        );
      }),
    noteEpoch: (note) => {
      gated.notes += 1;
      return store.noteEpoch(note);
    },
  });
  return { gated, engine };
}

describe('a store that answers late', () => {
  it('has every seq once, and acks say so', async () => {
    const hq = await startHq({ engine: late });
    const deliver = async (agent: string) => {
      const socket = await joinAs(hq, agent, { sampled: 40 });
      const parts = Array.from({ length: 10 }, (_, n) => [4 * n + 1, 4 * n + 4] as const);
      const replies = await Promise.all(parts.map((seqs) => send(socket, 'live', seqs, agent)));
      expect(replies.filter(({ ok }) => ok !== true)).toEqual([]);
      const again = await send(socket, 'backlog', [1, 40], agent);
      expect(again).toMatchObject({ ack: { contiguous: 40, ranges: [] } });
      expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ ack: { contiguous: 40 } });
      expect(await ledgerOf(hq.store, agent)).toMatchObject([{ stored: 40, pending: 0 }]);
    };
    await Promise.all([deliver('a1'), deliver('a2')]);
    const again = await hq.join();
    const hello = helloOf('a1', { sampled: 50, released: 45 });
    expect(await ask(again, 'hello', hello)).toMatchObject({ ok: true, lost: 5, ack: { contiguous: 45 } });
  });

  it('does not let one connection become two agents', async () => {
    const hq = await startHq({ engine: late });
    const socket = await hq.join();
    const replies = await Promise.all(['a1', 'a2'].map((agent) => ask(socket, 'hello', helloOf(agent))));
    expect(replies.filter(({ ok }) => ok === true)).toHaveLength(1);
    expect(replies.find(({ ok }) => ok !== true)).toMatchObject({ error: { code: 'bad_request' } });
    expect(hq.gateway.connectedAgents()).toBe(1);
  });

  it('refuses the epoch of another agent, also to one that comes at the same time with a new one', async () => {
    const hq = await startHq({ engine: late });
    await joinAs(hq, 'a1');
    const [copy, other] = [await hq.join(), await hq.join()];
    const replies = await Promise.all([
      ask(copy, 'hello', helloOf('a2', { epoch: epochOf('a1') })),
      ask(other, 'hello', helloOf('a3')),
    ]);
    expect(replies).toMatchObject([{ ok: false, error: { code: 'forked_epoch' } }, { ok: true }]);
  });

  it('stores a delivery over HTTP once, however many of one key come at once', async () => {
    const hq = await startHq({ engine: late, limits: { maxAgents: 1 } });
    const { ingest, store } = hq;
    const clock = createSystemClock();
    const deliver = createDeliver({ ingest, store, clock });
    const agents = [{ agent: 'web', samples: [sampleOf(1)] }];
    const one = { agents, identity: 'k', contentDigest: '01'.repeat(32) };
    const receipts = await Promise.all([1, 2, 3].map(() => firstValueFrom(deliver(one))));
    expect(receipts.map(({ accepted }) => accepted).sort()).toEqual([0, 0, 1]);
    const another = { ...one, agents: [{ agent: 'more', samples: [sampleOf(1)] }] };
    await expect(firstValueFrom(deliver(another))).rejects.toMatchObject({ code: 'too_many_agents' });
  });
});

it('acks by a heartbeat what got through although it was said to have failed', async () => {
  const failed = throwError(() => new StorageError('deadline', 'no answer in time'));
  const engine = (store: HqStore): HqStore => ({
    ...store,
    append: (items) => concat(store.append(items).pipe(ignoreElements()), failed),
  });
  const hq = await startHq({ engine });
  const socket = await joinAs(hq, 'a1');
  expect(await send(socket, 'live', [1, 5])).toMatchObject({ ok: false, error: { code: 'unavailable' } });
  expect(await ask(socket, 'heartbeat', HEARTBEAT)).toMatchObject({ ok: true, ack: { contiguous: 5 } });
});

describe('a hello that waits for the store', () => {
  it('leaves no lease behind when its connection ends', async () => {
    const { gated, engine } = gate();
    const hq = await startHq({ engine });
    const first = await hq.join();
    void ask(first, 'hello', helloOf('a1')).catch(() => {});
    await gated.asked(1);
    first.disconnect();
    await eventually(() => expect(hq.io.of('/agents').sockets.size).toBe(0), { interval: 5 });
    gated.answer(0);
    expect(hq.gateway.connectedAgents()).toBe(0);
    expect(gated.notes).toBe(0);
  });

  it('notes nothing once another connection of its agent was faster', async () => {
    const { gated, engine } = gate();
    const hq = await startHq({ engine });
    const [first, second] = [await hq.join(), await hq.join()];
    const cut = ended(first);
    void ask(first, 'hello', helloOf('a1')).catch(() => {});
    await gated.asked(1);
    gated.answer(0);
    // It has the lease by now, and asks whether its journal is a copy.
    await gated.asked(2);
    const reply = ask(second, 'hello', helloOf('a1'));
    await gated.asked(3);
    gated.answer(2);
    await cut;
    await gated.asked(4);
    gated.answer(1);
    gated.answer(3);
    expect(await reply).toMatchObject({ ok: true });
    expect(gated.notes).toBe(1);
    expect(hq.gateway.connectedAgents()).toBe(1);
  });
});
