/**
 * Keys of HQ's store; they order bytewise. One letter says the kind, agents are ended by a zero byte (no agent id holds
 * one). That it is a capital letter tells a directory of HQ from an agent's (storage/directory/directory-role.ts).
 *
 *     V                                       meta: revision of the store, next log number
 *     A agent 0                               agent record (JSON)
 *     E agent 0 epoch[6]                      epoch state: counters and coverage (JSON)
 *     J number[6]                             arrival log: every frame in the order in which it was stored, until it is
 *                                             in the index and its readers are past it (see log-entry.ts)
 *     M agent 0 → number[6] bytes[6]          frames of the agent up to this number of the log are in the index, and
 *                                             what they take there (filed-mark.ts)
 *     F agent 0 epoch[6] seq[6]               index: frame record (frame-record.ts); seq: the first that it contributed
 *     G agent 0 epoch[6] seq[6]               gap (JSON)
 *     T agent 0 hour[5] tsMin[8] epoch[6] seq[6] → tsMax[8]
 *                                             index by time: one entry for each hour that the frame touches; hour 0
 *                                             holds the frames that span more than MAX_SPAN_HOURS
 *     L number[6] → F key                     index by arrival: number in the log of the last frame in the record
 *     Q agent 0 epoch[6]                      seqs that retention has removed (JSON, see removed-seqs.ts)
 *     K                                       all is to be counted again: damage was met (see recount.ts)
 *     S agent 0 ref[6]                        schema (JSON)
 *     N agent 0 startTs[8] hash[8]            anomaly episode (JSON)
 *     I agent 0                               what the indexer knows of an agent (JSON)
 *     W agent 0                               alarm of the agent: its latest that is not over (JSON)
 *     B agent 0                               labels of the agent: told by it, set by HQ (JSON)
 *     O agent 0 ts[8] order[6]                what has happened to the agent (JSON, see agent-events.ts);
 *                                             without an agent: to HQ itself
 *     H                                       identity of this HQ (JSON, see identity.ts)
 *     O                                       life of the log (JSON, see log-life.ts)
 *     P                                       written to find out whether the storage takes commits again
 *     R name                                  what the graph of ingest shows (JSON, see ingest-history.ts)
 *     C name                                  position of a named consumer of the arrival log
 *     D agent 0 hash[16] → expiry[8] content[32]
 *                                             idempotency key of an HTTP request with the SHA-256 of what it stood for
 *     U agent 0                               how far the rollups of the agent go (JSON, see rollup-state.ts); with no
 *                                             agent: from when on they are whole (JSON, see rollup-retention.ts)
 *     U agent 0 ref[6] resolution[1] block[5] level[1] number[6]
 *                                             part of a rollup (rollups/rollup-part.ts); all that is kept of an agent's
 *                                             rollups is in the range of the agent, and its state is the first there
 *     X expiry[8] agent 0 hash[16]            the same by expiry
 *     Z agent 0                               that the agent is removed for good, or has been (JSON, see purges.ts)
 *     Z agent 0 epoch[6]                      what HQ held of an epoch that was removed with its agent (JSON)
 */
import type { Epoch } from '../../protocol/sample.ts';

/** Kinds of which an agent has one record. */
export type RecordKind = 'B' | 'W';
export type KeyKind =
  | RecordKind
  | 'V'
  | 'A'
  | 'E'
  | 'F'
  | 'J'
  | 'M'
  | 'G'
  | 'T'
  | 'L'
  | 'S'
  | 'N'
  | 'I'
  | 'O'
  | 'Q'
  | 'C'
  | 'D'
  | 'R'
  | 'U'
  | 'Z'
  | 'X';

/**
 * Whose the records of a kind are. `agent`: their keys begin with the agent, and all of them go with it (purges.ts);
 * `beside`: of agents too, and found by another kind or by their value; `hq`: of no agent; `kept`: they stay.
 */
export const KIND_SCOPES: Readonly<Record<KeyKind, 'agent' | 'beside' | 'hq' | 'kept'>> = {
  A: 'agent',
  B: 'agent',
  D: 'agent',
  E: 'agent',
  F: 'agent',
  G: 'agent',
  I: 'agent',
  M: 'agent',
  N: 'agent',
  O: 'agent',
  Q: 'agent',
  S: 'agent',
  T: 'agent',
  U: 'agent',
  W: 'agent',
  J: 'beside',
  L: 'beside',
  X: 'beside',
  C: 'hq',
  R: 'hq',
  V: 'hq',
  Z: 'kept',
};
export type KeyRange = { readonly from: Uint8Array; readonly to: Uint8Array };

export const HOUR_MS = 3_600_000;
/** A frame that touches more hours than this is listed once, among the wide ones. */
export const MAX_SPAN_HOURS = 48;
export const HOUR_BIAS = 2 ** 32;
export const HOUR_BYTES = 5;

/** `kind` + agent + 0, with `extra` bytes left to fill. */
export function scoped(kind: KeyKind, agent: string, extra: number): { key: Buffer; at: number } {
  const key = Buffer.allocUnsafe(agent.length + 2 + extra);
  key[0] = kind.charCodeAt(0);
  key.write(agent, 1, 'latin1');
  key[agent.length + 1] = 0;
  return { key, at: agent.length + 2 };
}

export const META_KEY: Uint8Array = Buffer.from('V');
export const RECOUNT_KEY: Uint8Array = Buffer.from('K');
export const IDENTITY_KEY: Uint8Array = Buffer.from('H');
export const LOG_LIFE_KEY: Uint8Array = Buffer.from('O');
export const PROBE_KEY: Uint8Array = Buffer.from('P');
export const agentKey = (agent: string): Uint8Array => scoped('A', agent, 0).key;
export const filedKey = (agent: string): Uint8Array => scoped('M', agent, 0).key;
export const agentOfFiled = (key: Uint8Array): string => asBuffer(key).toString('latin1', 1, key.length - 1);
export const indexKey = (agent: string): Uint8Array => scoped('I', agent, 0).key;
export const agentRecordKey = (kind: RecordKind, agent: string): Uint8Array => scoped(kind, agent, 0).key;
export const agentOfRecord = (key: Uint8Array): string => asBuffer(key).toString('latin1', 1, key.length - 1);
export const consumerKey = (name: string): Uint8Array => Buffer.from(`C${name}`, 'latin1');

export const historyKey = (name: string): Uint8Array => Buffer.from(`R${name}`, 'latin1');
export const nameOfHistory = (key: Uint8Array): string => asBuffer(key).toString('latin1', 1);

/** All keys of a kind. */
export function kindRange(kind: KeyKind): KeyRange {
  const code = kind.charCodeAt(0);
  return { from: Buffer.from([code]), to: Buffer.from([code + 1]) };
}

/** All keys of a kind and an agent. */
export function agentRange(kind: KeyKind, agent: string): KeyRange {
  const to = scoped(kind, agent, 0).key;
  to[to.length - 1] = 1;
  return { from: scoped(kind, agent, 0).key, to };
}

export function epochKey(agent: string, epoch: Epoch, kind: 'E' | 'Q' = 'E'): Uint8Array {
  const { key, at } = scoped(kind, agent, 6);
  key.write(epoch, at, 6, 'hex');
  return key;
}

/** Key of a frame (`F`) or gap (`G`); seq up to 2^48 − 1. */
export function seqKey(kind: 'F' | 'G', agent: string, epoch: Epoch, seq: number): Uint8Array {
  const { key, at } = scoped(kind, agent, 12);
  key.write(epoch, at, 6, 'hex');
  key.writeUIntBE(seq, at + 6, 6);
  return key;
}

/** Keys of an epoch's frames or gaps from seq `from`. */
export function seqRange(kind: 'F' | 'G', agent: string, epoch: Epoch, from: number): KeyRange {
  const { key, at } = scoped(kind, agent, 13);
  key.write(epoch, at, 6, 'hex');
  key.fill(0xff, at + 6);
  return { from: seqKey(kind, agent, epoch, from), to: key };
}

export type SeqKeyParts = { readonly agent: string; readonly epoch: Epoch; readonly seq: number };
export function parseSeqKey(bytes: Uint8Array): SeqKeyParts {
  const key = asBuffer(bytes);
  const end = key.length - 12;
  return {
    agent: key.toString('latin1', 1, end - 1),
    epoch: key.toString('hex', end, end + 6),
    seq: key.readUIntBE(end + 6, 6),
  };
}

export const parseEpochKey = (bytes: Uint8Array): { agent: string; epoch: Epoch } => {
  const key = asBuffer(bytes);
  return {
    agent: key.toString('latin1', 1, key.length - 7),
    epoch: key.toString('hex', key.length - 6, key.length),
  };
};

export const purgeKey = (agent: string): Uint8Array => scoped('Z', agent, 0).key;
export function purgedEpochKey(agent: string, epoch: Epoch): Uint8Array {
  const { key, at } = scoped('Z', agent, 6);
  key.write(epoch, at, 6, 'hex');
  return key;
}
/** `epoch`: null in the key of the purge itself. */
export function parsePurgeKey(bytes: Uint8Array): { readonly agent: string; readonly epoch: Epoch | null } {
  const key = asBuffer(bytes);
  const end = key.indexOf(0);
  const epoch = end === key.length - 1 ? null : key.toString('hex', end + 1);
  return { agent: key.toString('latin1', 1, end), epoch };
}

export const hourOf = (ts: number): number => Math.floor(ts / HOUR_MS);

export function timeKey(agent: string, hour: number | 'wide', tsMin: number, epoch: Epoch, seq: number) {
  const { key, at } = scoped('T', agent, HOUR_BYTES + 20);
  key.writeUIntBE(hour === 'wide' ? 0 : hour + HOUR_BIAS, at, HOUR_BYTES);
  writeOrderedDouble(key, tsMin, at + HOUR_BYTES);
  key.write(epoch, at + HOUR_BYTES + 8, 6, 'hex');
  key.writeUIntBE(seq, at + HOUR_BYTES + 14, 6);
  return key as Uint8Array;
}

/** The hours under which a frame is listed. */
export function hoursOf(tsMin: number, tsMax: number): readonly (number | 'wide')[] {
  const first = hourOf(tsMin);
  const last = hourOf(tsMax);
  if (last === first) return [first];
  if (last - first >= MAX_SPAN_HOURS) return ['wide'];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Time index entries of the hours `first … last`, both included; `'wide'` for the wide ones. */
export function hourRange(agent: string, first: number | 'wide', last: number | 'wide'): KeyRange {
  const bound = (biased: number) => {
    const { key, at } = scoped('T', agent, HOUR_BYTES);
    key.writeUIntBE(biased, at, HOUR_BYTES);
    return key;
  };
  const from = first === 'wide' ? 0 : first + HOUR_BIAS;
  const to = last === 'wide' ? 1 : last + 1 + HOUR_BIAS;
  return { from: bound(from), to: bound(to) };
}

export type TimeKeyParts = {
  readonly hour: number | 'wide';
  readonly tsMin: number;
  readonly epoch: Epoch;
  readonly seq: number;
};
export function parseTimeKey(bytes: Uint8Array): TimeKeyParts {
  const key = asBuffer(bytes);
  const at = key.length - HOUR_BYTES - 20;
  const hour = key.readUIntBE(at, HOUR_BYTES);
  return {
    hour: hour === 0 ? 'wide' : hour - HOUR_BIAS,
    tsMin: readOrderedDouble(key, at + HOUR_BYTES),
    epoch: key.toString('hex', at + HOUR_BYTES + 8, at + HOUR_BYTES + 14),
    seq: key.readUIntBE(at + HOUR_BYTES + 14, 6),
  };
}

function numbered(kind: 'J' | 'L', number: number): Uint8Array {
  const key = Buffer.allocUnsafe(7);
  key[0] = kind.charCodeAt(0);
  key.writeUIntBE(number, 1, 6);
  return key;
}
const parseNumber = (bytes: Uint8Array): number => asBuffer(bytes).readUIntBE(1, 6);

export const entryKey = (number: number): Uint8Array => numbered('J', number);
export const parseEntryKey = parseNumber;
/** Entries of the log with `from ≤ number < to`; without `to` all from there on. */
export const entryRange = (from: number, to?: number): KeyRange => ({
  from: entryKey(from),
  to: to === undefined ? kindRange('J').to : entryKey(to),
});

export const orderKey = (number: number): Uint8Array => numbered('L', number);
export const parseOrderKey = parseNumber;
export const orderRange = (from: number): KeyRange => ({ from: orderKey(from), to: kindRange('L').to });

export function schemaKey(agent: string, ref: string): Uint8Array {
  const { key, at } = scoped('S', agent, 6);
  key.write(ref, at, 6, 'hex');
  return key;
}
export const parseSchemaRef = (bytes: Uint8Array): string => {
  const key = asBuffer(bytes);
  return key.toString('hex', key.length - 6, key.length);
};

/** `hash`: 8 bytes that tell series of one start time apart. */
export function episodeKey(agent: string, startTs: number, hash: Uint8Array): Uint8Array {
  const { key, at } = scoped('N', agent, 16);
  writeOrderedDouble(key, startTs, at);
  key.set(hash.subarray(0, 8), at + 8);
  return key;
}
/** Episodes with `from ≤ startTs < to`. */
export function episodeRange(agent: string, from: number, to: number): KeyRange {
  const bound = (ts: number) => {
    const { key, at } = scoped('N', agent, 8);
    writeOrderedDouble(key, ts, at);
    return key;
  };
  return { from: bound(from), to: bound(to) };
}

export const agentOfEpisode = (key: Uint8Array): string =>
  asBuffer(key).toString('latin1', 1, key.length - 17);

/** `order`: 12 hex digits that tell events of one ms apart. */
export function eventKey(agent: string, ts: number, order: string): Uint8Array {
  const { key, at } = scoped('O', agent, 14);
  writeOrderedDouble(key, ts, at);
  key.write(order, at + 8, 6, 'hex');
  return key;
}
/** Events with `from ≤ ts < to`. */
export function eventRange(agent: string, from: number, to: number): KeyRange {
  return { from: eventKey(agent, from, '00'.repeat(6)), to: eventKey(agent, to, '00'.repeat(6)) };
}
export const agentOfEvent = (key: Uint8Array): string => asBuffer(key).toString('latin1', 1, key.length - 15);
export function parseEventKey(bytes: Uint8Array): { readonly ts: number; readonly order: string } {
  const key = asBuffer(bytes);
  const at = key.length - 14;
  return { ts: readOrderedDouble(key, at), order: key.toString('hex', at + 8, at + 14) };
}

export function dedupKey(agent: string, hash: Uint8Array): Uint8Array {
  const { key, at } = scoped('D', agent, 16);
  key.set(hash.subarray(0, 16), at);
  return key;
}
export const agentOfDedupKey = (key: Uint8Array): string =>
  asBuffer(key).toString('latin1', 1, key.length - 17);

/** The dedup key `dedup` filed under its expiry, ms. */
export function expiryKey(expiryTs: number, dedup: Uint8Array): Uint8Array {
  const key = Buffer.allocUnsafe(9 + dedup.length - 1);
  key[0] = 'X'.charCodeAt(0);
  writeOrderedDouble(key, expiryTs, 1);
  key.set(dedup.subarray(1), 9);
  return key;
}
/** The dedup key that an expiry entry names. */
export function dedupKeyOfExpiry(bytes: Uint8Array): Uint8Array {
  const key = Buffer.allocUnsafe(bytes.length - 8);
  key[0] = 'D'.charCodeAt(0);
  key.set(bytes.subarray(9), 1);
  return key;
}
/** Expiry entries before `ts`. */
export function expiredRange(ts: number): KeyRange {
  const to = Buffer.allocUnsafe(9);
  to[0] = 'X'.charCodeAt(0);
  writeOrderedDouble(to, ts, 1);
  return { from: Buffer.from('X'), to };
}

/** The first key after `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Doubles whose bytes order like their values: sign flipped, negative ones inverted. */
export function writeOrderedDouble(into: Buffer, value: number, at: number): void {
  into.writeDoubleBE(value === 0 ? 0 : value, at);
  const negative = ((into[at] ?? 0) & 0x80) !== 0;
  if (!negative) into[at] = (into[at] ?? 0) | 0x80;
  else for (let index = at; index < at + 8; index += 1) into[index] = ~(into[index] ?? 0) & 0xff;
}
export function readOrderedDouble(from: Buffer, at: number): number {
  const bytes = Buffer.from(from.subarray(at, at + 8));
  if (((bytes[0] ?? 0) & 0x80) !== 0) bytes[0] = (bytes[0] ?? 0) & 0x7f;
  else for (let index = 0; index < 8; index += 1) bytes[index] = ~(bytes[index] ?? 0) & 0xff;
  return bytes.readDoubleBE(0);
}
