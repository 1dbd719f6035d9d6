/** Deliveries in the group commit: what a client is told when its commit waits, fails, or has no room for it. */
import { request } from 'node:http';
import { concat, ignoreElements, Subject, switchMap, take, throwError } from 'rxjs';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { StorageError } from '../../../storage/storage.ts';
import type { FrameLog } from '../../store/store.ts';
import { post } from '../testing/http.ts';
import { startTestGateway } from '../testing/listening.ts';
import { createTestGateway } from '../testing/test-gateway.ts';

const record = (timestamp: number) => ({ agent: 'pump-7', timestamp, metrics: { pressure: 3.2 } });
const STORED = { accepted: 1, duplicate: false };
const REPEATED = { accepted: 0, duplicate: true };
/** Items that the queue of the group commit holds. */
const QUEUE_ITEMS = 8192;
const queuedIn = ({ ingest }: Pick<Awaited<ReturnType<typeof createTestGateway>>, 'ingest'>) =>
  Math.round(ingest.commits.load() * QUEUE_ITEMS);

/** Commits wait for `open`, each for one of its own; `groups`: how many items each of them has. */
function gated() {
  const gate = new Subject<void>();
  const groups: number[] = [];
  const append =
    (working: FrameLog['append']): FrameLog['append'] =>
    (items) => {
      groups.push(items.length);
      return gate.pipe(
        take(1),
        switchMap(() => working(items)),
      );
    };
  return { open: () => gate.next(), groups, append };
}

it('gathers while a commit runs; of one key in one group it stores the first', async () => {
  const { open, groups, append } = gated();
  const gateway = await createTestGateway({ append });
  const { app, store } = gateway;
  const named = (timestamp: number) => post(app, '/telemetry', record(timestamp), { 'idempotency-key': 'k' });
  const first = post(app, '/telemetry', record(1));
  await eventually(() => expect(groups).toEqual([1]));
  const twins = [named(2), named(2)];
  await eventually(() => expect(queuedIn(gateway)).toBe(3));
  const other = named(3);
  await eventually(() => expect(queuedIn(gateway)).toBe(4));
  open();
  expect((await first).json()).toEqual(STORED);
  expect(groups).toEqual([1, 3]);
  expect(store.appended, 'nothing of a commit that runs').toHaveLength(1);
  open();
  const answers = (await Promise.all(twins)).map((answer) => answer.json());
  expect(answers).toEqual(expect.arrayContaining([STORED, REPEATED]));
  const refused = await other;
  expect([refused.status, refused.problem().type]).toEqual([
    422,
    'urn:holdfast:problem:idempotency_key_reused',
  ]);
  expect(store.appended.map(({ sample }) => sample.ts)).toEqual([1_000, 2_000]);
});

it('answers 503 with Retry-After when as many deliveries are under way as it takes', async () => {
  const { open, groups, append } = gated();
  const gateway = await createTestGateway({ append, settings: { limits: { ingestInFlight: 2 } } });
  const { app, store } = gateway;
  const taken = [post(app, '/telemetry', record(1)), post(app, '/telemetry', record(2))];
  await eventually(() => expect(queuedIn(gateway)).toBe(2));
  const refused = await post(app, '/telemetry', record(3));
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
  expect(refused.problem().type).toBe('urn:holdfast:problem:unavailable');
  open();
  open();
  for (const answer of await Promise.all(taken)) expect(answer.json()).toEqual(STORED);
  const again = post(app, '/telemetry', record(3));
  await eventually(() => expect(groups).toEqual([1, 1, 1]));
  open();
  expect((await again).json()).toEqual(STORED);
  expect(store.appended).toHaveLength(3);
});

it('stores once what a client sent that left before the answer, and says so when it comes again', async () => {
  const { open, groups, append } = gated();
  const gateway = await startTestGateway({ append });
  onTestFinished(gateway.stop);
  const { store, url } = gateway;
  const body = JSON.stringify(record(1));
  const headers = { 'content-type': 'application/json' };
  const sent = request(`${url}/telemetry`, { method: 'POST', headers });
  const gone = new Promise((resolve) => void sent.on('close', resolve));
  sent.on('error', () => {});
  sent.end(body);
  await eventually(() => expect(groups).toEqual([1]));
  sent.destroy();
  await gone;
  open();
  expect(store.appended).toHaveLength(1);
  const again = fetch(`${url}/telemetry`, { method: 'POST', headers, body });
  await eventually(() => expect(groups).toEqual([1, 1]));
  open();
  expect(await (await again).json()).toEqual(REPEATED);
  expect(store.appended).toHaveLength(1);
});

it('stores nothing of what a client has not sent whole', async () => {
  const gateway = await startTestGateway();
  onTestFinished(gateway.stop);
  const { store, url } = gateway;
  const body = JSON.stringify(record(1));
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const sent = request(`${url}/telemetry`, { method: 'POST', headers });
  const gone = new Promise((resolve) => void sent.on('close', resolve));
  sent.on('error', () => {});
  const reached = new Promise<void>((resolve) => void gateway.app.server.once('request', () => resolve()));
  sent.write(body.slice(0, -1));
  await reached;
  sent.destroy();
  await gone;
  const whole = await fetch(`${url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(record(2)),
  });
  expect(await whole.json()).toEqual(STORED);
  expect(store.appended.map(({ sample }) => sample.ts)).toEqual([2_000]);
});

it.each([
  ['has stored nothing', 'before', STORED],
  ['got through all the same', 'after', REPEATED],
] as const)(
  'answers 503 to a commit that failed and %s; what comes again is stored once',
  async (_what, when, answer) => {
    let fails = true;
    const failure = throwError(() => new StorageError('io', 'who knows'));
    const append =
      (working: FrameLog['append']): FrameLog['append'] =>
      (items) => {
        if (!fails) return working(items);
        return when === 'before' ? failure : concat(working(items).pipe(ignoreElements()), failure);
      };
    const { app, store } = await createTestGateway({ append });
    const failed = await post(app, '/telemetry', record(1));
    expect([failed.status, failed.headers['retry-after']]).toEqual([503, '5']);
    expect(failed.body).not.toContain('who knows');
    expect(store.appended).toHaveLength(when === 'before' ? 0 : 1);
    fails = false;
    const again = await post(app, '/telemetry', record(1));
    expect([again.status, again.json()]).toEqual([202, answer]);
    expect(store.appended).toHaveLength(1);
  },
);
