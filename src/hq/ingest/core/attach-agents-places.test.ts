/** How many agents and series HQ takes, whichever way they come and however many come at once. */
import { asyncScheduler, firstValueFrom, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../platform/clock.ts';
import { seededRandom } from '../../../platform/random.ts';
import type { Sample } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { StorageError } from '../../../storage/storage.ts';
import { Problem } from '../../http/problem.ts';
import type { HqStore } from '../../store/store.ts';
import { sampleOf } from '../../store/testing/frames.ts';
import { lateStore } from '../../store/testing/late-store.ts';
import { createDeliver } from '../http/deliver.ts';
import { ask, helloOf, joinAs, startHq, type TestHq } from '../testing/test-hq.ts';

function late(store: HqStore): HqStore {
  const random = seededRandom(3);
  return lateStore(store, { scheduler: asyncScheduler, delayMs: () => random.next() * 5 });
}

describe('of forty that come at once, over both ways', () => {
  const REQUESTS = 20;
  const numbers = Array.from({ length: REQUESTS }, (_, n) => n);
  const delivererOf = ({ ingest, store }: TestHq) => {
    const deliver = createDeliver({ ingest, store, clock: createSystemClock() });
    return (agent: string, sample: Sample, identity = agent) =>
      firstValueFrom(
        deliver({ agents: [{ agent, samples: [sample] }], identity, contentDigest: '01'.repeat(32) }),
      ).then(
        () => 'stored',
        (error: unknown) => (error instanceof Problem ? error.code : error),
      );
  };

  it('HQ gets to know as many agents as it may, and no more', async () => {
    const hq = await startHq({ engine: late, limits: { maxAgents: 7 } });
    const deliver = delivererOf(hq);
    const sockets = await Promise.all(numbers.map(() => hq.join()));
    const [deliveries, hellos] = await Promise.all([
      Promise.all(numbers.map((n) => deliver(`web-${n}`, sampleOf(1)))),
      Promise.all(sockets.map((socket, n) => ask(socket, 'hello', helloOf(`a${n}`)))),
    ]);
    const stored = deliveries.filter((outcome) => outcome === 'stored').length;
    const accepted = hellos.filter(({ ok }) => ok === true).length;
    expect(stored + accepted).toBe(7);
    expect(await firstValueFrom(hq.store.agents())).toHaveLength(7);
    expect(new Set(deliveries)).toEqual(
      new Set(stored > 0 ? ['stored', 'too_many_agents'] : ['too_many_agents']),
    );
    expect(hq.ingest.agents.size()).toBe(7);
  });

  it('an agent gets as many series as it may, and no more', async () => {
    const hq = await startHq({ engine: late, limits: { maxSeries: 9 } });
    const deliver = delivererOf(hq);
    const socket = await joinAs(hq, 'a1');
    // Those of the schema that it has sent already.
    const before = (await firstValueFrom(hq.store.series('a1'))).length;
    const schemas = numbers.map((n) =>
      internSchema({ source: 's', boot: 'b', series: [{ name: `of.${n}`, attributes: {}, unit: '1' }] }),
    );
    const [deliveries, replies] = await Promise.all([
      Promise.all(
        schemas.map((schema, n) => deliver('a1', { ...sampleOf(1), schema, values: [1] }, `delivery-${n}`)),
      ),
      Promise.all(
        numbers.map((n) => {
          const series = [{ name: `by.${n}`, attributes: {}, unit: '1' }];
          const { ref, ...schema } = internSchema({ source: 's', boot: 'b', series });
          return ask(socket, 'schema', { ref, schema });
        }),
      ),
    ]);
    const stored = deliveries.filter((outcome) => outcome === 'stored').length;
    const taken = replies.filter(({ ok }) => ok === true).length;
    expect(before + stored + taken).toBe(9);
    expect(await firstValueFrom(hq.store.series('a1'))).toHaveLength(9);
  });

  it('those that are refused or fail leave their places to others', async () => {
    let fails = true;
    const engine = (store: HqStore): HqStore => ({
      ...store,
      append: (items) => (fails ? throwError(() => new StorageError('io', 'broken')) : store.append(items)),
    });
    const hq = await startHq({ engine, limits: { maxAgents: 1, maxSeries: 2 } });
    const deliver = delivererOf(hq);
    expect(await deliver('first', sampleOf(1))).toBeInstanceOf(StorageError);
    expect(hq.ingest.agents.size()).toBe(0);
    fails = false;
    expect(await deliver('second', sampleOf(1))).toBe('stored');
    expect(hq.ingest.agents.size()).toBe(1);
  });
});
