import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { agentMessages } from './agent-messages.ts';
import { decodeDown } from './compact/down.ts';
import { HEARTBEAT_PATHS, leavesOf } from './compact/heartbeat-delta.ts';
import { decodeUp, encodeHeartbeatMessage } from './compact/up.ts';
import { WIRE_ERROR_CODES } from './events.ts';
import { GAP_REASONS } from './frame.ts';
import {
  bucketsOf,
  coarsen,
  decodeData,
  decodeDownsampled,
  decodeGap,
  encodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
  samplesOf,
} from './frame-codec.ts';
import { DIAGNOSTIC_CODES, schemaSchema } from './sample.ts';
import { internSchema } from './schema-ref.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

/** Content of the fenced block whose info string is `info`. */
function block(info: string): string {
  const [, content] = page.split(`\`\`\`${info}\n`);
  if (content === undefined) throw new Error(`docs/protocol.md has no block "${info}"`);
  return content.split('```')[0] ?? '';
}

/** Hex digits at the start of each line, up to the two spaces before the explanation. */
function bytesIn(info: string): Uint8Array {
  const digits = block(info)
    .split('\n')
    .map((line) => line.split('  ')[0]?.replaceAll(' ', ''))
    .join('');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

const samplesSchema = z.strictObject({
  epoch: z.string(),
  firstSeq: z.number(),
  samples: z.array(
    z.strictObject({ ts: z.number(), mono: z.number(), values: z.array(z.number().nullable()) }),
  ),
});
const gapSchema = z.strictObject({
  epoch: z.string(),
  firstSeq: z.number(),
  count: z.number(),
  tsMin: z.number(),
  tsMax: z.number(),
  reason: z.enum(GAP_REASONS),
});

type Limited = {
  readonly path: readonly string[];
  readonly is: string;
  readonly from: number;
  readonly to: number;
};

/** The table of fields in section 11; an empty cell is no bound. */
const fields = (page.split('### Fields of messages\n')[1] ?? '').split('\nOf answers')[0] ?? '';
const ROW = /^\| `([\w.]+)` \| (\w+) \| ?(-?\d*) \| ?(-?\d*) \|/gm;
const limits = [...fields.matchAll(ROW)].map(
  ([, path = '', is = '', from = '', to = '']): Limited => ({
    path: path.split('.'),
    is,
    from: from === '' ? Number.NEGATIVE_INFINITY : Number(from),
    to: to === '' ? Number.POSITIVE_INFINITY : Number(to),
  }),
);

const COUNTS = { sampled: 9, released: 0, pending: 0, pendingBytes: 0 };
const sound: Readonly<Record<string, object>> = {
  hello: {
    ...{
      protocol: 1,
      protocols: [1],
      schema: 1,
      agent: 'a',
      epoch: '0123456789ab',
      instance: 'i',
      version: '1',
    },
    ...{ sampled: 9, released: 0, ts: 0, hq: 'hq', labels: {}, run: { begun: 0, number: 1, after: null } },
  },
  coverage: { after: 0 },
  schema: {
    ref: '0123456789ab',
    schema: { source: 's', boot: 'b', series: [{ name: 'n', attributes: {}, unit: '' }] },
  },
  heartbeat: {
    ...{ ts: 0, state: 'live', breaker: 'closed', ...COUNTS, thinned: 0, dropped: {}, lagMs: 0, rttMs: 1 },
    link: { rate: 1, minRttMs: 1, queueMs: 1, live: 0, backlog: 0 },
  },
  goodbye: { reason: '' },
};

/** Whether a message with this value at the path is taken, with all of its parts. */
function isTaken(path: readonly string[], value: unknown): boolean {
  const [name = '', ...inner] = path;
  const message: object = structuredClone(sound[name] ?? {});
  let at: object = message;
  for (const key of inner.slice(0, -1)) at = Reflect.get(at, key);
  Reflect.set(at, inner.at(-1) ?? '', value);
  if (!(name in agentMessages)) throw new Error(`no message ${name}`);
  const parsed = agentMessages[name as keyof typeof agentMessages].args.safeParse([message]);
  return (
    parsed.success && (inner[0] !== 'link' || Reflect.get(parsed.data[0] as object, 'link') !== undefined)
  );
}

function sizedValue({ path, is }: Limited, size: number): unknown {
  if (is === 'text') return (/epoch|ref|agent/.test(path.at(-1) ?? '') ? '0' : 'x').repeat(size);
  return is === 'list' ? Array.from({ length: size }, () => 1) : size;
}

describe('the limits that docs/protocol.md names', () => {
  it('are of every message', () => {
    expect(new Set(limits.map(({ path }) => path[0]))).toEqual(new Set(Object.keys(sound)));
    expect(limits.length).toBeGreaterThanOrEqual(43);
  });

  it.each(limits.map((one) => ({ name: one.path.join('.'), one })))('$name', ({ one }) => {
    const { path, is, from, to } = one;
    for (const size of [from, to].filter(Number.isFinite))
      expect(isTaken(path, sizedValue(one, size))).toBe(true);
    for (const size of [from - 1, to + 1].filter(Number.isFinite)) {
      if (size >= 0 || is === 'integer' || is === 'number')
        expect(isTaken(path, sizedValue(one, size))).toBe(false);
    }
    // A letter of two UTF-16 units counts as one, where any letter may stand.
    if (is === 'text' && isTaken(path, '😀')) {
      expect(isTaken(path, '😀'.repeat(to))).toBe(true);
      expect(isTaken(path, '😀'.repeat(to + 1))).toBe(false);
    }
    if (is === 'integer' || is === 'number') {
      expect(isTaken(path, 1.5)).toBe(is === 'number');
      expect(isTaken(path, '1')).toBe(false);
    }
  });
});

describe('docs/protocol.md', () => {
  const schema = internSchema(schemaSchema.parse(JSON.parse(block('json schema'))));

  it('names the ref of its example schema', () => {
    expect(page).toContain(`whose ref is \`${schema.ref}\``);
  });

  it.each(['one', 'four'])('shows the bytes of frame %s as they are', (name) => {
    const { epoch, firstSeq, samples } = samplesSchema.parse(JSON.parse(block(`json samples:${name}`)));
    const whole = samples.map((sample) => ({ schema, ...sample, anomalies: [], diagnostics: [] }));
    const bytes = bytesIn(`hex frame:${name}`);
    const frame = decodeData(bytes);
    expect(frame.header).toMatchObject({ epoch, firstSeq, count: samples.length });
    expect(samplesOf(frame, () => schema).map(({ sample }) => sample)).toStrictEqual(whole);
    expect(encodeSamples({ epoch, firstSeq, samples: whole })).toEqual(bytes);
  });

  it('shows the bytes of a thinned frame as they are', () => {
    const frame = decodeData(bytesIn('hex frame:four'));
    const { epoch, firstSeq, count } = frame.header;
    const groups = coarsen(bucketsOf(frame), { window: 2, apart: true });
    const bytes = bytesIn('hex frame:thinned');
    expect(encodeDownsampled({ epoch, firstSeq, count, groups })).toEqual(bytes);
    const [group] = decodeDownsampled(bytes).groups;
    expect(group?.columns[2]?.max).toEqual(Float64Array.of(1500, 2100));
    expect(group?.columns[2]?.counts).toEqual(Float64Array.of(2, 1));
  });

  it('shows the bytes of a gap as they are', () => {
    const gap = gapSchema.parse(JSON.parse(block('json gap:dropped')));
    const bytes = bytesIn('hex frame:dropped');
    expect(decodeGap(bytes)).toStrictEqual(gap);
    expect(encodeGap(gap)).toEqual(bytes);
  });

  it('shows the bytes of compact messages as they are', () => {
    const epoch = '0123456789ab';
    const first = { request: 0, leaves: leavesOf({ ts: 1790000000000, sampled: 300, 'link.rate': 3236 }) };
    const next = { request: 5, leaves: leavesOf({ ts: 1790000005000, sampled: 305, 'link.rate': -10.7 }) };
    expect(encodeHeartbeatMessage(first, null)).toEqual(bytesIn('hex compact:heartbeat'));
    expect(encodeHeartbeatMessage(next, first)).toEqual(bytesIn('hex compact:delta'));
    expect(decodeUp(bytesIn('hex compact:delta'), { epoch, heartbeat: first })).toEqual({
      type: 'heartbeat',
      ...next,
    });
    const acked = { contiguous: 300, ranges: [[304, 310]] as const };
    expect(decodeDown(bytesIn('hex compact:acked'))).toEqual({
      type: 'acked',
      requests: [1, 3],
      ack: acked,
      credit: 8,
    });
    expect(decodeDown(bytesIn('hex compact:refused'))).toEqual({
      type: 'refused',
      request: 4,
      error: { code: 'unknown_schema', message: 'send', refs: [schema.ref] },
    });
    const paths = HEARTBEAT_PATHS.map((path) => `\`${path}\``).join(', ');
    expect(page.replaceAll('\n', ' ')).toContain(`Paths, from 1: ${paths}.`);
  });

  it('states the checksum that it shows', () => {
    const { crc } = readHeader(bytesIn('hex frame:one'));
    expect(page).toContain(`CRC-32 0x${crc.toString(16)}`);
  });

  it('explains every code that can come over the wire, in order where the order is its number', () => {
    for (const [number, code] of WIRE_ERROR_CODES.entries())
      expect(page).toContain(`| ${number} | \`${code}\` |`);
    for (const [number, reason] of GAP_REASONS.entries()) expect(page).toContain(`${number} \`${reason}\``);
    for (const [number, code] of DIAGNOSTIC_CODES.entries()) expect(page).toContain(`${number} \`${code}\``);
  });
});
