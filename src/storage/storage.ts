/**
 * Storage: a durable, ordered map of bytes. The one thing that LMDB, memory and a simulated disk each implement; the
 * agent's journal and HQ's store are built on it.
 *
 * Promises of every implementation:
 * - a commit is atomic, and its result is emitted only once it is on the disk (flushed);
 * - commits run one after another in the order in which they were subscribed, each seeing all earlier ones;
 *   implementations may flush several together;
 * - a failed commit emits an error (StorageError) and is then *unknown*: it may yet appear, so its content must be
 *   idempotent;
 * - values are checksummed by the implementation: a value that does not match is reported as damaged, never returned;
 * - keys order bytewise.
 */
import type { Observable } from 'rxjs';

export type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

export type RangeQuery = {
  /** Inclusive lower bound. */
  readonly from: Uint8Array;
  /** Exclusive upper bound. */
  readonly to: Uint8Array;
  /** Highest keys first. Default false. */
  readonly reverse?: boolean;
  readonly limit: number;
};

export type Reader = {
  /**
   * Undefined when absent or damaged (a damaged one is reported through `damage$`). The bytes are the caller's to keep.
   */
  readonly get: (key: Uint8Array) => Uint8Array | undefined;
  readonly range: (query: RangeQuery) => readonly Entry[];
  /** Keys only; reads no values. */
  readonly keys: (query: RangeQuery) => readonly Uint8Array[];
};

export type Writer = Reader & {
  readonly put: (key: Uint8Array, value: Uint8Array) => void;
  readonly remove: (key: Uint8Array) => void;
};

export type StorageStats = {
  /** Bytes of keys and values in the map, plus the implementation's overhead a record. */
  readonly usedBytes: number;
  /** Bytes on the disk. */
  readonly fileBytes: number;
};

/** A record or file that could not be trusted, or a file that is not there any more. */
export type Damage = {
  readonly what: 'file' | 'record' | 'missing';
  readonly key: Uint8Array | null;
  readonly detail: string;
  /** Where the damaged file was moved, when it was. */
  readonly quarantine: string | null;
};

export type Storage = {
  /** Runs `work` at once on one consistent view; nothing read-related outlives the call. */
  readonly read: <T>(work: (reader: Reader) => T) => T;
  /**
   * Runs `work` in a write transaction when subscribed; emits its result once durable, then completes. A throw in
   * `work` aborts the transaction and becomes the error.
   */
  readonly commit: <T>(work: (writer: Writer) => T) => Observable<T>;
  readonly stats: () => StorageStats;
  /**
   * Whether the disk was found full and still is: one that adds now should first remove as much. Cheap; false where it
   * cannot be told.
   */
  readonly isShort: () => boolean;
  /**
   * Whether the next start finds what is committed now: false once its file was moved, deleted or replaced under it;
   * commits then fail with `replaced` until the file is back. Cheap.
   */
  readonly isInPlace: () => boolean;
  /** Damage met so far (replayed) and from now on. */
  readonly damage$: Observable<Damage>;
  /** Flushes and closes; completes when the directory may be opened again. */
  readonly close: () => Observable<never>;
};

export type StorageErrorCode =
  | 'locked'
  | 'unsupported_filesystem'
  | 'full'
  | 'io'
  | 'deadline'
  /** The file was moved, deleted or replaced while it was in use. */
  | 'replaced'
  /** Nothing works any more; a new process has to begin again. */
  | 'unusable'
  | 'closed'
  | 'configuration';

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
