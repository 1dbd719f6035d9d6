/** Looks at frames and schemas as they come, by the rules. */
import { createHash } from 'node:crypto';
import { type Coverage, covers } from '../../src/protocol/coverage.ts';
import { schemaMessageSchema } from '../../src/protocol/events.ts';
import { FrameError } from '../../src/protocol/frame.ts';
import { type CheckedFrame, checkFrame, decodeData } from '../../src/protocol/frame-codec.ts';
import { schemaFault } from '../../src/protocol/legal-text.ts';
import { schemaRefOf } from '../../src/protocol/schema-ref.ts';
import { shown } from '../report.ts';
import type { FrameMessage } from './connection.ts';
import { LIMITS } from './policy.ts';
import type { Rules } from './rules.ts';

export type FrameLook = {
  /** Gives the schemas that are not known. */
  (frame: FrameMessage, told: Coverage): readonly string[];
  /** Whether it was taken. */
  readonly schema: (payload: unknown) => boolean;
};

export function createFrameLook(rules: Rules): FrameLook {
  const series = new Map<string, number>();
  /** By epoch and seq, the digest of the sample that came first. */
  const samples = new Map<string, string>();

  const look = (frame: FrameMessage, told: Coverage): readonly string[] => {
    const { bytes, header, epoch } = frame;
    const last = header.firstSeq + header.count - 1;
    rules.see('frame.epoch', header.epoch === epoch, `epoch ${epoch}`, header.epoch);
    const isTold = covers(told, header.firstSeq, last);
    rules.see('frame.released', !isTold, 'no seq of it to be covered', `seqs ${header.firstSeq} … ${last}`);
    const checked = check(bytes);
    if (!('header' in checked)) {
      rules.see('frame.decodes', false, 'a frame', checked.fault);
      return [];
    }
    rules.see('frame.decodes', true, 'a frame', null);
    const fits = bytes.length <= LIMITS.maxFrameBytes && checked.rows <= LIMITS.maxFrameSamples;
    rules.see('frame.limits', fits, shown(LIMITS), `${bytes.length} bytes, ${checked.rows} samples`);
    for (const { schemaRef, columns } of checked.groups) {
      const known = series.get(schemaRef);
      if (known !== undefined) rules.see('frame.columns', known === columns, `${known} columns`, columns);
    }
    if (header.kind === 'data') lookAtSamples(frame);
    return checked.groups.map(({ schemaRef }) => schemaRef).filter((ref) => !series.has(ref));
  };

  const lookAtSamples = ({ bytes, epoch }: FrameMessage) => {
    for (const { seqs, ts, mono, columns, notes, schemaRef } of decodeData(bytes).groups) {
      const judged = notes.some(({ anomalies }) =>
        anomalies.some(({ judgement }) => judgement !== undefined),
      );
      if (notes.length > 0)
        rules.see('frame.notes', !judged, 'notes of version 1', 'an anomaly with its method');
      for (const [row, seq] of seqs.entries()) {
        const values = columns.map((column) => (column?.present?.[row] === 0 ? null : column?.values[row]));
        const digest = digestOf([schemaRef, ts[row], mono[row], values.map(String)]);
        const key = `${epoch} ${seq}`;
        const before = samples.get(key) ?? digest;
        samples.set(key, before);
        rules.see('frame.same', before === digest, `the sample of ${key} as before`, 'another one');
      }
    }
  };

  const schema = (payload: unknown): boolean => {
    const parsed = schemaMessageSchema.safeParse(payload);
    if (!parsed.success) {
      rules.see('schema.shape', false, '{ref, schema}', parsed.error.message);
      return false;
    }
    const { ref, schema: document } = parsed.data;
    const fault = schemaFault(document);
    rules.see('schema.shape', fault === null, 'legal texts', fault);
    rules.see('schema.ref', schemaRefOf(document) === ref, schemaRefOf(document), ref);
    series.set(ref, document.series.length);
    return true;
  };
  return Object.assign(look, { schema });
}

function check(bytes: Uint8Array): CheckedFrame | { readonly fault: string } {
  try {
    return checkFrame(bytes);
  } catch (error) {
    if (error instanceof FrameError) return { fault: `${error.code}: ${error.message}` };
    throw error;
  }
}

const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64').slice(0, 12);
