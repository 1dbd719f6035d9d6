/** Samples that came by HTTP: HQ gives them seqs of an epoch of its own per agent, in the transaction that looks at the dedup key. */
import { createHash } from 'node:crypto';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { InternedSchema, Sample } from '../../protocol/sample.ts';
import { appendFrame } from './append-frame.ts';
import { EMPTY_EPOCH } from './epoch-state.ts';
import { asBuffer, dedupKey, expiryKey, readOrderedDouble, writeOrderedDouble } from './keys.ts';
import type { SchemaBook } from './schema-book.ts';
import type { Appended, IngestFrame } from './store.ts';
import type { Transaction } from './transactions.ts';

export type HttpRequest = {
  readonly agent: string;
  readonly samples: readonly Sample[];
  readonly dedupKey: string;
  readonly arrivalTs: number;
};

export type HttpOutcome = {
  readonly duplicate: boolean;
  readonly appended: readonly Appended[];
  readonly schemas: readonly InternedSchema[];
};

/** `newEpoch` names the epoch when the agent has none of its own yet. */
export function appendHttpSamples(
  transaction: Transaction,
  request: HttpRequest,
  options: { readonly book: SchemaBook; readonly ttlMs: number; readonly newEpoch: () => string },
): HttpOutcome {
  const { agent, samples, arrivalTs } = request;
  const { writer } = transaction;
  const key = dedupKey(agent, createHash('sha256').update(request.dedupKey).digest());
  const known = writer.get(key);
  const knownUntil = known?.length === 8 ? readOrderedDouble(asBuffer(known), 0) : Number.NEGATIVE_INFINITY;
  if (knownUntil > arrivalTs) return { duplicate: true, appended: [], schemas: [] };

  const record = transaction.agent(agent);
  const epoch = record?.ownEpoch ?? options.newEpoch();
  if (record?.ownEpoch !== epoch) {
    const base = record ?? { agent, epoch, firstSeenTs: arrivalTs };
    transaction.setAgent(agent, { ...base, ownEpoch: epoch });
  }
  const schemas = new Map<string, InternedSchema>();
  for (const { schema } of samples) {
    if (!schemas.has(schema.ref) && options.book.get(agent, schema.ref) === undefined) {
      schemas.set(schema.ref, schema);
      options.book.write(transaction, agent, schema);
    }
  }
  const state = transaction.epoch(agent, epoch) ?? { ...EMPTY_EPOCH, owned: true };
  transaction.setEpoch(agent, epoch, state);
  const appended: Appended[] = [];
  for (let at = 0; at < samples.length; at += MAX_FRAME_SAMPLES) {
    const bytes = encodeSamples({
      epoch,
      firstSeq: state.sampled + 1 + at,
      samples: samples.slice(at, at + MAX_FRAME_SAMPLES),
    });
    const frame: IngestFrame = { agent, header: readHeader(bytes), bytes, arrivalTs, lane: 'http' };
    appended.push({ frame, outcome: appendFrame(transaction, frame) });
  }
  const until = Buffer.allocUnsafe(8);
  writeOrderedDouble(until, arrivalTs + options.ttlMs, 0);
  if (known !== undefined) writer.remove(expiryKey(knownUntil, key));
  writer.put(key, until);
  writer.put(expiryKey(arrivalTs + options.ttlMs, key), Uint8Array.of(1));
  return { duplicate: false, appended, schemas: [...schemas.values()] };
}
