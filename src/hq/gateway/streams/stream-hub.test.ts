/** What clients of the telemetry stream get, on virtual time: all that is new, or the newest where they are slow. */
import { of, Subject, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seededRandom } from '../../../platform/random.ts';
import { encodeSamples, readHeader } from '../../../protocol/frame-codec.ts';
import type { InternedSchema } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import type { Appended } from '../../store/store.ts';
import { createTurns } from '../../store/turns.ts';
import { MAX_PENDING } from './pending-samples.ts';
import { type StreamFilter, streamFilter } from './stream-filter.ts';
import { createStreamHub, type StreamPeer } from './stream-hub.ts';

const EPOCH = '0123456789ab';
const seriesOf = (...names: string[]) => names.map((name) => ({ name, attributes: {}, unit: '' }));
const schemaOf = (source: string, names = ['a', 'b']) =>
  internSchema({ source, boot: 'boot', series: seriesOf(...names) });
const messageSchema = z.strictObject({
  type: z.literal('samples'),
  skipped: z.number(),
  samples: z.array(
    z.strictObject({
      ...{ agent: z.string(), source: z.string(), ts: z.number(), arrivalTs: z.number() },
      values: z.record(z.string(), z.union([z.number(), z.string()])),
    }),
  ),
});
type Message = z.infer<typeof messageSchema>;

type RigOptions = { readonly schemas?: readonly InternedSchema[]; readonly fault?: () => boolean };

function rig({ schemas = [schemaOf('s')], fault = () => false }: RigOptions = {}) {
  const scheduler = new VirtualTimeScheduler();
  const clock = { scheduler, precise: () => scheduler.now() };
  const appended$ = new Subject<Appended>();
  const asked: string[] = [];
  let seq = 0;
  let missed = 0;
  const hub = createStreamHub({
    store: {
      appended$,
      schema: (agent, ref) => {
        asked.push(`${agent} ${ref}`);
        if (fault()) return throwError(() => new Error('the disk is gone'));
        return of(schemas.find((one) => one.ref === ref) ?? null);
      },
    },
    turns: createTurns(clock),
    clock,
    labelsOf: (agent) => ({ site: agent === 'a1' ? 'nord' : 'sued' }),
    ...{ updateMs: 100, stallMs: 1000, pingIntervalMs: 400, pingTimeoutMs: 300 },
    onSent: () => {},
    onMissed: () => {
      missed += 1;
    },
  });
  const advance = (ms: number) => {
    scheduler.maxFrames = scheduler.frame + ms;
    scheduler.flush();
    scheduler.frame = scheduler.maxFrames;
  };
  const store = (
    agent: string,
    values: readonly (readonly (number | null)[])[],
    {
      schema = schemas[0] ?? schemaOf('s'),
      lane = 'live' as Appended['frame']['lane'],
      stored = values.length,
    } = {},
  ) => {
    const samples = values.map((row, index) => ({
      ...{ schema, ts: 1000 * (seq + index + 1), mono: 0, values: row, anomalies: [], diagnostics: [] },
    }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: seq + 1, samples });
    seq += values.length;
    const coverage = { contiguous: seq, ranges: [] };
    const outcome = { stored, thinned: 0, duplicates: 0, dropped: 0, coverage };
    appended$.next({ frame: { agent, header: readHeader(bytes), bytes, arrivalTs: 5, lane }, outcome });
  };
  return { hub, store, advance, asked, missed: () => missed };
}

function peer(query = '') {
  const messages: Message[] = [];
  let free = true;
  const cuts: string[] = [];
  let pings = 0;
  const filter: StreamFilter = streamFilter(new URLSearchParams(query));
  const one: StreamPeer = {
    filter,
    send: (text) => messages.push(messageSchema.parse(JSON.parse(text))),
    isFree: () => free,
    ping: () => {
      pings += 1;
    },
    cut: (reason) => cuts.push(reason),
  };
  return {
    ...{ one, messages, cuts },
    pings: () => pings,
    setFree: (is: boolean) => {
      free = is;
    },
    values: () => messages.flatMap(({ samples }) => samples.map((sample) => sample.values)),
  };
}

describe('clients of the telemetry stream', () => {
  it('get every sample that is stored from when they join, at most one message an update', () => {
    const { hub, store, advance, asked } = rig();
    store('a1', [[9, 9]]);
    const client = peer();
    hub.join(client.one);
    store('a1', [
      [1, null],
      [Number.NaN, 2],
    ]);
    store('a2', [[3, 4]], { lane: 'http' });
    expect(client.messages).toEqual([]);
    advance(150);
    expect(client.messages).toEqual([
      {
        ...{ type: 'samples', skipped: 0 },
        samples: [
          { agent: 'a1', source: 's', ts: 2000, arrivalTs: 5, values: { a: 1 } },
          { agent: 'a1', source: 's', ts: 3000, arrivalTs: 5, values: { a: 'NaN', b: 2 } },
          { agent: 'a2', source: 's', ts: 4000, arrivalTs: 5, values: { a: 3, b: 4 } },
        ],
      },
    ]);
    store('a1', [[5, 6]]);
    advance(100);
    expect(client.values().at(-1)).toEqual({ a: 5, b: 6 });
    expect(asked, 'a schema is asked for once').toHaveLength(2);
  });

  it('are shown no frames beyond 16 MiB that wait, and those are counted', () => {
    const names = Array.from({ length: 4096 }, (_, index) => `m${index}`);
    const wide = schemaOf('wide', names);
    const random = seededRandom(1);
    const rows = Array.from({ length: 64 }, () => names.map(() => random.next()));
    const { hub, store, advance, missed } = rig({ schemas: [wide] });
    const client = peer();
    hub.join(client.one);
    for (let frame = 0; frame < 64 && missed() === 0; frame += 1) store('a1', rows);
    expect(missed()).toBeGreaterThan(0);
    advance(60_000);
    const before = missed();
    store('a1', [rows[0] ?? []]);
    expect(missed()).toBe(before);
    expect(client.messages.length).toBeGreaterThan(0);
  });

  it('get nothing of backlog, of what was stored before, and of schemas that nobody knows', () => {
    const { hub, store, advance } = rig();
    const client = peer();
    hub.join(client.one);
    store('a1', [[1, 1]], { lane: 'backlog' });
    store('a1', [[1, 1]], { stored: 0 });
    store('a1', [[1, 1]], { schema: schemaOf('unknown') });
    advance(300);
    expect(client.messages).toEqual([]);
  });

  it.each([
    ['agent=a1', [{ a: 1, b: 2 }]],
    [
      'agent=a1&agent=a2',
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    ],
    ['label=site:sued', [{ a: 3, b: 4 }]],
    ['series=b', [{ b: 2 }, { b: 4 }]],
    ['series=a*&agent=a2', [{ a: 3 }]],
    ['series=none', []],
  ])('see what %s asks for', (query, expected) => {
    const { hub, store, advance } = rig();
    const client = peer(query);
    hub.join(client.one);
    store('a1', [[1, 2]]);
    store('a2', [[3, 4]]);
    advance(150);
    expect(client.values()).toEqual(expected);
  });

  it('that are slow get the newest of each source, and how many they were not sent; others all', () => {
    const other = schemaOf('t');
    const { hub, store, advance } = rig({ schemas: [schemaOf('s'), other] });
    const slow = peer();
    const quick = peer();
    hub.join(slow.one);
    hub.join(quick.one);
    slow.setFree(false);
    for (let value = 1; value <= 5; value += 1) {
      store('a1', [[value, 0]]);
      store('a1', [[-value, 0]], { schema: other });
      advance(100);
    }
    slow.setFree(true);
    advance(100);
    expect(slow.messages).toHaveLength(1);
    expect(slow.messages[0]?.skipped).toBe(8);
    expect(slow.values().map(({ a }) => a)).toEqual([5, -5]);
    expect(quick.values()).toHaveLength(10);
    expect(quick.messages.every(({ skipped }) => skipped === 0)).toBe(true);
  });

  it('hold no more than so many samples, however many sources there are', () => {
    const { hub, store, advance } = rig();
    const client = peer();
    hub.join(client.one);
    client.setFree(false);
    for (let agent = 0; agent < MAX_PENDING * 2; agent += 1) store(`b${agent}`, [[agent, 0]]);
    for (let step = 0; step < 9; step += 1) advance(100);
    client.setFree(true);
    for (let step = 0; step < 5; step += 1) advance(100);
    const sent = client.values().length;
    expect(sent).toBeLessThanOrEqual(MAX_PENDING);
    expect(sent).toBeGreaterThan(0);
    const skipped = client.messages.reduce((sum, one) => sum + one.skipped, 0);
    expect(sent + skipped).toBe(MAX_PENDING * 2);
    expect(client.values().at(-1)).toEqual({ a: MAX_PENDING * 2 - 1, b: 0 });
  });

  it('that take nothing are cut off, and so are those that answer no ping', () => {
    const { hub, store, advance } = rig();
    const stalled = peer();
    const silent = peer();
    const sound = peer();
    for (const { one } of [stalled, silent, sound]) hub.join(one);
    stalled.setFree(false);
    for (let step = 0; step < 13; step += 1) {
      store('a1', [[step, 0]]);
      advance(100);
      hub.answered(sound.one);
    }
    expect(stalled.cuts).toEqual(['stalled']);
    expect(silent.cuts).toEqual(['silent']);
    expect(sound.cuts).toEqual([]);
    expect(sound.pings()).toBeGreaterThanOrEqual(3);
    expect(hub.size()).toBe(1);
    const before = silent.messages.length;
    store('a1', [[1, 1]]);
    advance(200);
    expect(silent.messages).toHaveLength(before);
    hub.leave(sound.one);
    expect(hub.size()).toBe(0);
  });

  it('see what comes after the store could not answer', () => {
    let isFaulty = true;
    const { hub, store, advance } = rig({ fault: () => isFaulty });
    const client = peer();
    hub.join(client.one);
    store('a1', [[1, 1]]);
    advance(150);
    expect(client.messages).toEqual([]);
    isFaulty = false;
    store('a1', [[2, 2]]);
    advance(100);
    expect(client.values()).toEqual([{ a: 2, b: 2 }]);
  });
});
