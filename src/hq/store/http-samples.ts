/**
 * Deliveries over HTTP: HQ gives their samples seqs of an epoch of its own per agent, in the transaction that looks at
 * the dedup keys.
 */
import { createHash } from 'node:crypto';
import { MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { InternedSchema } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import { appendFrame } from './append-frame.ts';
import { EMPTY_EPOCH } from './epoch-state.ts';
import type { KeyCounts } from './key-counts.ts';
import { asBuffer, dedupKey, expiryKey, readOrderedDouble, writeOrderedDouble } from './keys.ts';
import { bringBack, returned } from './retired-agents.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Appended, DeliveryOutcome, DeliveryPart, IngestFrame, SampleDelivery } from './store.ts';
import type { Transaction } from './transactions.ts';

/** What a delivery has written; all of it counts once its transaction is flushed. */
export type WrittenDelivery = {
  readonly outcome: DeliveryOutcome;
  readonly appended: readonly Appended[];
  /** New ones, for the catalogue. */
  readonly schemas: readonly { readonly agent: string; readonly schema: InternedSchema }[];
  /** Dedup keys that were not remembered before. */
  readonly keys: readonly Uint8Array[];
};

export type DeliveryOptions = {
  readonly catalogue: SchemaCatalogue;
  readonly ttlMs: number;
  readonly keyCounts: Pick<KeyCounts, 'isFull'>;
  /** Names the epoch when an agent has none of HQ's own yet. */
  readonly newEpoch: () => string;
};

const EXPIRY_BYTES = 8;
const HASH_BYTES = 32;

/**
 * What the dedup key has been used for, if it has not expired: this content
 * (`duplicate`), or other content (`conflict`). Keys written before content was remembered count as used for this one.
 */
function keyUse(
  reader: Reader,
  { agent, dedupKey: name }: DeliveryPart,
  { contentHash, arrivalTs }: SampleDelivery,
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

const NOTHING = {
  ...{ stored: 0, thinned: 0, duplicates: 0, dropped: 0 },
  ...{ keyReusedAt: null, keysFullAt: null },
} as const;

/** All parts whose keys are free, or none: a conflict, or a key too many, refuses the delivery as a whole. */
export function appendDelivery(
  transaction: Transaction,
  delivery: SampleDelivery,
  options: DeliveryOptions,
): WrittenDelivery {
  const parts = delivery.parts.map((part) => ({ part, ...keyUse(transaction.writer, part, delivery) }));
  const conflict = parts.find(({ use }) => use === 'conflict');
  if (conflict !== undefined) {
    return refused({ keyReusedAt: conflict.part.agent });
  }
  const full = parts.find(({ part, known }) => !known && options.keyCounts.isFull(part.agent));
  if (full !== undefined) return refused({ keysFullAt: full.part.agent });
  const keys: Uint8Array[] = [];
  const appended: Appended[] = [];
  const schemas: { agent: string; schema: InternedSchema }[] = [];
  let duplicates = 0;
  for (const { part, use, ...place } of parts) {
    if (use === 'duplicate') {
      duplicates += part.samples.length;
      continue;
    }
    for (const schema of writeSchemas(transaction, part, options))
      schemas.push({ agent: part.agent, schema });
    appended.push(...appendPart(transaction, part, delivery.arrivalTs, options));
    if (!place.known) keys.push(place.key);
    rememberKey(transaction, delivery, { ...place, ttlMs: options.ttlMs });
  }
  const stored = appended.reduce((sum, { outcome }) => sum + outcome.stored, 0);
  return { outcome: { ...NOTHING, stored, duplicates }, appended, schemas, keys };
}

function refused(
  why: Pick<DeliveryOutcome, 'keyReusedAt'> | Pick<DeliveryOutcome, 'keysFullAt'>,
): WrittenDelivery {
  return { outcome: { ...NOTHING, ...why }, appended: [], schemas: [], keys: [] };
}

/** Writes the schemas that the agent does not have yet; gives them. */
function writeSchemas(
  transaction: Transaction,
  { agent, samples }: DeliveryPart,
  { catalogue }: DeliveryOptions,
): Iterable<InternedSchema> {
  const schemas = new Map<string, InternedSchema>();
  for (const { schema } of samples) {
    if (schemas.has(schema.ref) || catalogue.get(agent, schema.ref) !== undefined) continue;
    schemas.set(schema.ref, schema);
    catalogue.write(transaction, agent, schema);
  }
  return schemas.values();
}

function appendPart(
  transaction: Transaction,
  { agent, samples }: DeliveryPart,
  arrivalTs: number,
  options: DeliveryOptions,
): Appended[] {
  const record = transaction.agent(agent);
  const epoch = record?.ownEpoch ?? options.newEpoch();
  if (record?.ownEpoch !== epoch) {
    const base = record ?? { agent, epoch, firstSeenTs: arrivalTs };
    transaction.setAgent(agent, returned({ ...base, ownEpoch: epoch }));
  } else bringBack(transaction, agent);
  const known = transaction.epoch(agent, epoch);
  const state = known ?? { ...EMPTY_EPOCH, owned: true };
  if (known === undefined) transaction.setEpoch(agent, epoch, state);
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
  return appended;
}

function rememberKey(
  { writer }: Transaction,
  { arrivalTs, contentHash }: SampleDelivery,
  place: {
    readonly key: Uint8Array;
    readonly known: boolean;
    readonly knownUntil: number;
    readonly ttlMs: number;
  },
): void {
  const { key, known, knownUntil, ttlMs } = place;
  const remembered = Buffer.allocUnsafe(EXPIRY_BYTES + HASH_BYTES);
  writeOrderedDouble(remembered, arrivalTs + ttlMs, 0);
  remembered.set(contentHash, EXPIRY_BYTES);
  if (known) writer.remove(expiryKey(knownUntil, key));
  writer.put(key, remembered);
  writer.put(expiryKey(arrivalTs + ttlMs, key), Uint8Array.of(1));
}
