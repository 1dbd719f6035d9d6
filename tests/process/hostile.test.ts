/** Clients of every evil kind against a real HQ: it stays up, and the honest agent alongside them notices nothing. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MAX_TEXT_BYTES } from '../../src/hq/gateway/bounded-parser.ts';
import { dataFrame, EPOCH, gapFrame, schema } from '../../src/hq/store/testing/frames.ts';
import { seededRandom } from '../../src/platform/random.ts';
import type { Hello } from '../../src/protocol/events.ts';
import { gone, guest, joined, rawSocket, say } from '../support/hostile-clients.ts';
import { getJson, summaryOf } from '../support/hq.ts';
import { HONEST, underAttack } from '../support/under-attack.ts';
import { until } from '../support/wait.ts';

const MIB = 2 ** 20;
const EVENTS = ['hello', 'schema', 'frame', 'heartbeat', 'goodbye'] as const;
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1e300,
  true,
  '',
  'x'.repeat(10_000),
  [],
  [[[[[[]]]]]],
  {},
  { agent: {}, lane: [] },
  { toString: 1, valueOf: 'x', toJSON: 1, length: 1e9 },
  JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  Buffer.from('garbage'),
  Array.from({ length: 1_000 }, (_, index) => ({ index })),
];

function helloOf(agent: string, more: Partial<Hello> = {}): Hello {
  const hello = { protocol: 1, schema: 1, agent, epoch: EPOCH, instance: `${agent}-1`, version: '0.1.0' };
  return { ...hello, sampled: 0, released: 0, ts: Date.now(), ...more };
}
const receiptSchema = z.object({ accepted: z.number() });
const { ref, ...content } = schema;

/** A client that HQ takes for an agent. */
async function admitted(url: string, agent: string) {
  const socket = await joined(guest(url));
  const ask = (event: string, ...args: unknown[]): Promise<unknown> =>
    socket.timeout(10_000).emitWithAck(event, ...args);
  expect(await ask('hello', helloOf(agent))).toMatchObject({ ok: true });
  expect(await ask('schema', { ref, schema: content })).toMatchObject({ ok: true });
  return { socket, ask };
}

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

describe('HQ serves its honest agent while others', () => {
  it('leave out acks, send wrong types, and make up events and namespaces', async () => {
    await underAttack(async ({ url }) => {
      const answers: unknown[] = [];
      let expected = 0;
      const keep = (answer: unknown) => void answers.push(answer);
      const rounds = EVENTS.flatMap((event) => NONSENSE.map((payload) => ({ event, payload })));
      for (const { event, payload } of rounds) {
        const socket = await joined(guest(url));
        socket.emit(event);
        socket.emit(event, payload);
        socket.emit(event, payload, keep);
        socket.emit(event, payload, payload, keep);
        socket.emit(event, helloOf('a'), payload, payload, keep);
        socket.emit(event, keep, payload);
        expected += 3;
        await until('an answer to what could be answered', () => answers.length === expected);
        socket.disconnect();
      }
      expect(answers.filter((answer) => (answer as { ok?: unknown }).ok !== false)).toEqual([]);

      const inventor = await joined(guest(url));
      const cutOff = gone(inventor);
      for (const name of ['__proto__', 'constructor', 'toString', 'error', 'probe', 'credit', '']) {
        for (let n = 0; n < 3; n += 1) inventor.emit(name, { any: 1 }, keep);
      }
      await cutOff;

      for (const event of EVENTS.filter((name) => name !== 'schema')) {
        const talker = await joined(guest(url));
        const ended = gone(talker);
        talker.emit(event, 'x'.repeat(MAX_TEXT_BYTES), keep);
        await ended;
      }

      for (const namespace of [
        '/',
        '/secret',
        '/__proto__',
        '/constructor',
        '/agents/../dashboard',
        `/${'x'.repeat(5000)}`,
      ]) {
        await expect(joined(guest(url, namespace))).rejects.toBeInstanceOf(Error);
      }
    });
  });

  it('send garbage frames, frames of other epochs, forged seqs and floods', async () => {
    await underAttack(async ({ url }) => {
      const { socket, ask } = await admitted(url, 'forger');
      const random = seededRandom(1);
      const good = dataFrame(1, 50).bytes;
      const mutated = times(200, () => {
        const bytes = Buffer.from(good);
        for (let n = 0; n < 1 + random.next() * 4; n += 1)
          bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
        return bytes.subarray(
          0,
          random.next() < 0.3 ? Math.floor(random.next() * bytes.length) : bytes.length,
        );
      }).filter((bytes) => !bytes.equals(good));
      const garbage = times(50, (index) =>
        Buffer.from(times(index * 20, () => Math.floor(random.next() * 256))),
      );
      const foreign = [
        dataFrame(1, 1, { epoch: 'bbbbbbbbbbbb' }).bytes,
        gapFrame(1, 9, 'damaged', { epoch: 'bbbbbbbbbbbb' }).bytes,
      ];
      for (const bytes of [...mutated, ...garbage, ...foreign, new Uint8Array(0)]) {
        expect(await ask('frame', { lane: 'live' }, bytes)).toMatchObject({
          ok: false,
          error: { code: 'bad_frame' },
        });
      }
      expect(await ask('frame', { lane: 'live' }, Buffer.alloc(300 * 1024))).toMatchObject({
        error: { code: 'too_large' },
      });
      expect(await ask('frame', { lane: 'live' }, good)).toMatchObject({ ok: true, ack: { contiguous: 50 } });

      const refused: unknown[] = [];
      const flood = times(3000, () =>
        ask('frame', { lane: 'live' }, good).then(
          (answer) => refused.push(answer),
          () => {},
        ),
      );
      await Promise.all(flood);
      expect(refused).toContainEqual(
        expect.objectContaining({ error: expect.objectContaining({ code: 'rate_limited' }) }),
      );
      socket.disconnect();
    });
  });

  it('pretend to be that agent', async () => {
    await underAttack(async ({ url }) => {
      const clones = await Promise.all(times(20, () => joined(guest(url))));
      for (const [index, clone] of clones.entries()) {
        const hello = helloOf(HONEST, { instance: `clone-${index}`, sampled: 1000, released: 1000 });
        const answer: unknown = await clone.timeout(10_000).emitWithAck('hello', hello);
        expect(answer).toMatchObject({ ok: false, error: { code: 'duplicate_agent' } });
        const frame: unknown = await clone
          .timeout(10_000)
          .emitWithAck('frame', { lane: 'live' }, dataFrame(1, 5).bytes);
        expect(frame).toMatchObject({ ok: false, error: { code: 'hello_required' } });
      }
      expect((await summaryOf(url, HONEST)).connected).toBe(true);
    });
  });

  it('send messages of 10 MB, and bodies that inflate to gigabytes', async () => {
    await underAttack(async ({ url }) => {
      const big = Buffer.alloc(10 * MIB, 'x');
      for (const transport of ['websocket', 'polling'] as const) {
        const sockets = await Promise.all(times(5, () => joined(guest(url, '/agents', { transport }))));
        const ends = sockets.map(gone);
        for (const socket of sockets) {
          socket.emit('frame', { lane: 'live' }, big, () => {});
          socket.emit('hello', { ...helloOf('big'), agent: big.toString('latin1') }, () => {});
        }
        await Promise.all(ends);
      }
      // 64 MiB of zeros, three times over: 4 GiB when inflated at once by a server that does not count.
      const bomb = gzipSync(Buffer.alloc(64 * MIB));
      const post = (path: string, body: Buffer, headers: Record<string, string>) =>
        fetch(`${url}${path}`, { method: 'POST', body: new Uint8Array(body), headers }).then(
          ({ status }) => status,
          () => 'closed',
        );
      const json = { 'content-type': 'application/json' };
      const answers = await Promise.all([
        ...times(8, () => post('/telemetry', bomb, { ...json, 'content-encoding': 'gzip' })),
        ...times(8, () => post('/telemetry', big, json)),
        ...times(4, () => post('/api/telemetry/snapshot', big, json)),
        ...times(4, () => post('/socket.io/?EIO=4&transport=polling', big, { 'content-type': 'text/plain' })),
      ]);
      for (const answer of answers) expect([400, 413, 'closed']).toContain(answer);
    });
  });

  it('open 1,000 connections and say nothing', async () => {
    await underAttack(async ({ url }) => {
      const tcp = times(600, () => say(url, ''));
      const silent = await Promise.all(times(200, () => rawSocket(url)));
      const idle = await Promise.all(times(200, () => joined(guest(url))));
      expect(tcp.every(({ socket }) => !socket.destroyed)).toBe(true);
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toContain('holdfast_');
      // Those that never join a namespace are not kept; those that never say hello neither.
      await until('HQ to close those that never joined', () => silent.every(({ closed }) => closed()));
      await until('HQ to close those that never said hello', () => idle.every(({ connected }) => !connected));
    });
  });

  it('leave binary attachments unfinished, or break the framing of Engine.IO', async () => {
    await underAttack(async ({ url }) => {
      const frame = '["frame",{"lane":"live"},{"_placeholder":true,"num":0}]';
      const packets = [
        `451-/agents,${frame}`,
        `4599999-/agents,${frame}`,
        `451-/agents,1${frame}`,
        '451-/agents,["frame",{"_placeholder":true,"num":1e9}]',
        '451-/agents,["frame",{"_placeholder":true,"num":"__proto__"}]',
        '42/agents,["__proto__",{"__proto__":{"polluted":true}}]',
        '42/agents,7[',
        '42/agents,["connect"]',
        '42/agents,["disconnect"]',
        '42/agents,["newListener",{}]',
        '42/agents,8["disconnecting"]',
        '42/agents,99999999999999999999["hello"]',
        `42/agents,${'['.repeat(100_000)}`,
        '43/agents,1[]',
        '44/agents,"x"',
        '4x',
        '4',
        '9',
        '',
        '\u0000',
        '40/agents,{"token":{"__proto__":1}}',
      ];
      const sockets = await Promise.all(
        packets.map(async (packet) => {
          const socket = await rawSocket(url);
          socket.send('40/agents,{}');
          socket.send(packet);
          socket.send(new Uint8Array([1, 2, 3]));
          return socket;
        }),
      );
      await until('HQ to close them all', () => sockets.every(({ closed }) => closed()));
    });
  });

  it('send half requests, bad JSON, deep nesting and keys of prototypes over HTTP', async () => {
    await underAttack(async ({ url }) => {
      const head = 'POST /telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
      times(100, () => say(url, `${head}X-Slow: `));
      times(100, () => say(url, `${head}Content-Length: 1000\r\n\r\n{"agent":`));
      times(50, () => say(url, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n[`));
      const refused = [
        'GARBAGE\r\n\r\n',
        'GET / HTTP/9.9\r\n\r\n',
        `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(20_000)}\r\n`,
        `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        `${head}Content-Length: -1\r\n\r\n`,
      ].map((text) => say(url, text));
      await until('each to be refused', () =>
        refused.every(({ heard, socket }) => /^HTTP\/1.1 4/.test(heard()) || socket.destroyed),
      );

      const record = { agent: 'http', timestamp: '2026-01-31T12:00:00Z', metrics: { load: 1 } };
      const text = JSON.stringify(record);
      const bodies = [
        '',
        '{',
        'null',
        '"text"',
        '[1,2]',
        '\u0000',
        `${'['.repeat(500_000)}`,
        `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
        text.replace('"metrics":{', '"metrics":{"__proto__":{"polluted":1},'),
        text.replace('{"agent"', '{"__proto__":{"polluted":1},"agent"'),
        text.replace('"http"', '"__proto__"'),
        text.replace('"http"', '"../../etc"'),
        text.replace('2026-01-31T12:00:00Z', '9'.repeat(5000)),
        JSON.stringify({ ...record, metrics: [], values: {}, agent: null }),
        JSON.stringify(times(20_000, () => record)),
      ];
      for (const path of ['/telemetry', '/api/telemetry/snapshot']) {
        for (const body of bodies) {
          const response = await fetch(`${url}${path}`, {
            method: 'POST',
            body,
            headers: { 'content-type': 'application/json' },
          });
          expect([400, 413, 422], `${path} ${body.slice(0, 80)}`).toContain(response.status);
          expect(response.headers.get('content-type')).toContain('application/problem+json');
        }
      }
      const inherited = text.replace(
        '"metrics":{',
        '"attributes":{"constructor":"x","toString":"y"},"metrics":{"constructor":1,"valueOf":2,',
      );
      const taken = await fetch(`${url}/telemetry`, {
        method: 'POST',
        body: inherited,
        headers: { 'content-type': 'application/json' },
      });
      expect([202, 400, 422]).toContain(taken.status);

      for (const path of [
        '/api/v1/agents/__proto__',
        '/api/v1/agents/constructor/ledger',
        '/api/v1/agents/honest/series/__proto__',
        '/api/v1/agents/honest/samples?from=x',
        '/api/v1/agents/honest/samples?cursor=AAAA',
        '/api/v1/agents/honest/samples?limit=1e9',
        '/api/v1/agents/honest/series/x?step=0',
        '/api/v1/agents/%ff',
        '/assets/..%2f..%2fpackage.json',
        '/%2e%2e/%2e%2e/etc/passwd',
      ]) {
        expect([400, 403, 404], path).toContain((await fetch(`${url}${path}`)).status);
      }
      expect(await getJson(`${url}/api/v1/agents`)).toMatchObject({ items: expect.any(Array) });
    });
  });

  it('flood it with deliveries over HTTP', async () => {
    await underAttack(async ({ url }) => {
      const bodyOf = (n: number) =>
        times(50, (index) =>
          JSON.stringify({
            agent: 'flood',
            timestamp: n * 1_000 + index,
            source: 'http',
            metrics: { a: n, b: 2 },
          }),
        ).join('\n');
      const deliver = async (n: number): Promise<number> => {
        const response = await fetch(`${url}/telemetry`, {
          method: 'POST',
          body: bodyOf(n),
          headers: { 'content-type': 'application/x-ndjson' },
        });
        if (response.status === 503) {
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
          return 0;
        }
        expect(response.status).toBe(202);
        return receiptSchema.parse(await response.json()).accepted;
      };
      let accepted = 0;
      for (let round = 0; round < 5; round += 1) {
        const taken = await Promise.all(times(400, (n) => deliver(round * 400 + n + 1)));
        accepted += taken.reduce((sum, one) => sum + one, 0);
      }
      expect(accepted).toBeGreaterThan(0);
      // The feed of the fleet may be a moment behind the answers.
      await until('HQ to show them all', async () => (await summaryOf(url, 'flood')).stored === accepted);
    });
  });
});
