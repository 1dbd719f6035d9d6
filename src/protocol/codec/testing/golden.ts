/** Golden frames: files whose bytes and meaning are fixed for ever. */
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { DETECTION_METHODS } from '../../anomaly.ts';
import { type BucketGroup, GAP_REASONS, type GapFrame } from '../../frame.ts';
import { DIAGNOSTIC_CODES, type Sample, SEVERITIES, schemaSchema } from '../../sample.ts';
import { internSchema } from '../../schema-ref.ts';

const FOLDER = new URL('../../golden/', import.meta.url);

/** JSON lacks these four; they are written as strings. */
const number = z.union([
  z.number(),
  z.enum(['NaN', 'Infinity', '-Infinity', '-0']).transform((text) => Number(text)),
]);
const numbers = z.array(number).transform((values) => Float64Array.from(values));
const frame = { epoch: z.string(), firstSeq: z.number() };
const goldenSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('data'),
    about: z.string(),
    /** zstd may write the same body otherwise in another release, so compressed frames are only read. */
    encodable: z.boolean(),
    ...frame,
    schemas: z.array(schemaSchema),
    samples: z.array(
      z.strictObject({
        schema: z.number(),
        ts: z.number(),
        mono: z.number(),
        values: z.array(number.nullable()),
        anomalies: z.array(
          z
            .strictObject({
              series: z.number(),
              state: z.enum(['open', 'closed']),
              startTs: z.number(),
              peakTs: z.number(),
              peakValue: number,
              peakZ: number,
              mean: number,
              stddev: number,
              endTs: z.number().nullable(),
              judgement: z.strictObject({ method: z.enum(DETECTION_METHODS), threshold: number }).optional(),
            })
            // Absent and undefined are not the same to a strict comparison.
            .transform(({ judgement, ...anomaly }) =>
              judgement === undefined ? anomaly : { ...anomaly, judgement },
            ),
        ),
        diagnostics: z.array(
          z.strictObject({
            code: z.enum(DIAGNOSTIC_CODES),
            severity: z.enum(SEVERITIES),
            series: z.number().nullable(),
            detail: z.string(),
          }),
        ),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal('thinned'),
    about: z.string(),
    encodable: z.boolean(),
    ...frame,
    count: z.number(),
    groups: z.array(
      z.strictObject({
        schemaRef: z.string(),
        ...{ seqs: numbers, sizes: numbers, ts: numbers, spans: numbers, mono: numbers },
        columns: z.array(
          z.strictObject({ counts: numbers, numbers, min: numbers, max: numbers, sum: numbers }),
        ),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal('gap'),
    about: z.string(),
    ...frame,
    count: z.number(),
    tsMin: z.number(),
    tsMax: z.number(),
    reason: z.enum(GAP_REASONS),
  }),
]);

export type Golden = { readonly name: string; readonly bytes: Uint8Array } & (
  | {
      readonly kind: 'data';
      readonly encodable: boolean;
      readonly epoch: string;
      readonly firstSeq: number;
      readonly samples: readonly Sample[];
    }
  | {
      readonly kind: 'thinned';
      readonly encodable: boolean;
      readonly epoch: string;
      readonly firstSeq: number;
      readonly count: number;
      readonly groups: readonly BucketGroup[];
    }
  | { readonly kind: 'gap'; readonly gap: GapFrame }
);

export function goldens(): Golden[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => readGolden(file.slice(0, -'.json'.length)));
}

function readGolden(name: string): Golden {
  const read = (extension: string) => readFileSync(new URL(`${name}.${extension}`, FOLDER), 'utf8');
  const bytes = parseHex(read('hex'));
  const document = goldenSchema.parse(JSON.parse(read('json')));
  if (document.kind === 'gap') {
    const { kind, about, ...gap } = document;
    return { name, bytes, kind, gap };
  }
  if (document.kind === 'thinned') return { name, bytes, ...document };
  const { kind, encodable, epoch, firstSeq } = document;
  const schemas = document.schemas.map(internSchema);
  const samples = document.samples.map((sample) => {
    const schema = schemas[sample.schema];
    if (schema === undefined) throw new Error(`${name}: no schema ${sample.schema}`);
    return { ...sample, schema };
  });
  return { name, bytes, kind, encodable, epoch, firstSeq, samples };
}

/** Hex digits with any white space between them. */
export function parseHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}
