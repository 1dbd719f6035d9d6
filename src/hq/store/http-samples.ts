/**
 * Samples that came by HTTP: HQ gives them seqs of an epoch of its own per agent, in the transaction that looks at the
 * dedup key.
 */
import { createHash } from 'node:crypto';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { InternedSchema, Sample } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
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
  /** SHA-256 of what the key stands for, 32 bytes. */
  readonly contentHash: Uint8Array;
  readonly arrivalTs: number;
};

export type HttpOutcome = {
  readonly kind: 'stored' | 'duplicate' | 'conflict';
  readonly appended: readonly Appended[];
  readonly schemas: readonly InternedSchema[];
};

const EXPIRY_BYTES = 8;
const HASH_BYTES = 32;

/**
 * What the dedup key has been used for, if it has not expired: this content
 * (`duplicate`), or other content (`conflict`). Keys written before content was remembered count as used for this one.
 */
export function keyUse(
  reader: Reader,
  { agent, dedupKey: name, contentHash, arrivalTs }: Omit<HttpRequest, 'samples'>,
) {
  const key = dedupKey(agent, createHash('sha256').update(name).digest());
  const value = reader.get(key);
  const known = value !== undefined && value.length >= EXPIRY_BYTES;
  const knownUntil = known ? readOrderedDouble(asBuffer(value), 0) : Number.NEGATIVE_INFINITY;
  const place = { key, known, knownUntil };
  if (!known || knownUntil <= arrivalTs) return { ...place, use: 'free' as const };
  const content = value.subarray(EXPIRY_BYTES);
  const same = content.length !== HASH_BYTES || Buffer.compare(content, contentHash) === 0;
  return { ...place, use: same ? ('duplicate' as const) : ('conflict' as const) };
}

/** `newEpoch` names the epoch when the agent has none of its own yet. */
export function appendHttpSamples(
  transaction: Transaction,
  request: HttpRequest,
  options: { readonly book: SchemaBook; readonly ttlMs: number; readonly newEpoch: () => string },
): HttpOutcome {
  const { agent, samples, arrivalTs } = request;
  const { writer } = transaction;
  const { key, known, knownUntil, use } = keyUse(writer, request);
  if (use !== 'free') return { kind: use, appended: [], schemas: [] };

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
  const remembered = Buffer.allocUnsafe(EXPIRY_BYTES + HASH_BYTES);
  writeOrderedDouble(remembered, arrivalTs + options.ttlMs, 0);
  remembered.set(request.contentHash, EXPIRY_BYTES);
  if (known) writer.remove(expiryKey(knownUntil, key));
  writer.put(key, remembered);
  writer.put(expiryKey(arrivalTs + options.ttlMs, key), Uint8Array.of(1));
  return { kind: 'stored', appended, schemas: [...schemas.values()] };
}
