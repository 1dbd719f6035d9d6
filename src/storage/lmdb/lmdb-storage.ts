/**
 * Storage on LMDB.
 *
 * Promises beyond those of Storage:
 * - always starts: a file that cannot be trusted is walked through in a child process first, and when that finds it
 *   broken (or dies of it) moved aside and salvaged record by record; the loss is told by `damage$`;
 * - after such a salvage, or where the file was missing or emptied, the damage is told at every open until the owner
 *   has committed once;
 * - one process a directory (StorageError `locked`), one role a directory (`configuration`), no network file system
 *   (`unsupported_filesystem`);
 * - every wait has a deadline. A commit that misses it leaves the storage unusable for writing and is told by `fatal$`:
 *   LMDB gives no way to find out what became of it, only a new process can;
 * - a data file that was moved, deleted or replaced fails commits with `replaced`, reads go on; once the file itself is
 *   back, commits go on too;
 * - a full disk fails commits with `full`; reads go on, and so do commits that free more than they take. With a reserve
 *   (disk-reserve.ts) the first such commit succeeds all the same, and `isShort` tells.
 */
import { join } from 'node:path';
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  ignoreElements,
  map,
  type Observable,
  of,
  ReplaySubject,
  tap,
  throwError,
  timeout,
} from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import { closedError, createCommitQueue } from '../commit-queue.ts';
import { forgetDamage, isSame, notedDamage } from '../directory/damage-note.ts';
import {
  checkIdentity,
  isMarked,
  markDirectory,
  noteRole,
  prepareDirectory,
  readInUse,
  refuseOtherRole,
  removeUnfinished,
  type StatFileSystem,
} from '../directory/data-directory.ts';
import { type DirectoryLock, lockDirectory } from '../directory/directory-lock.ts';
import { type DirectoryRole, roleOfRecords, wrongRole } from '../directory/directory-role.ts';
import { createDiskReserve, type DiskReserve, withReserve } from '../directory/disk-reserve.ts';
import { type FormatUpgrade, keepCopy, upgradeOf } from '../directory/format-upgrade.ts';
import { makeRoomToOpen } from '../directory/opening-room.ts';
import { isDiskFull } from '../disk-full.ts';
import type { Operation } from '../overlay.ts';
import { type Damage, type Storage, StorageError } from '../storage.ts';
import { createInUseMark, type InUseMark, markOpened } from './in-use-mark.ts';
import { type Inspection, inspectFile, salvageDataFile } from './inspect-file.ts';
import { DATA_FILE, type Environment, openEnvironment } from './lmdb-environment.ts';
import { SALVAGE_RECORD } from './probe-request.ts';

export type LmdbStorageOptions = {
  /** Created when missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** Whose directory it is to be; one of the other role is refused. Default: anyone's. */
  readonly role?: DirectoryRole;
  /** How long a commit, a flush or a close may take, ms. Default 10,000, minimum 100. */
  readonly commitDeadlineMs?: number;
  /** How long walking through a suspect file may take before it is opened all the same, ms. Default 20,000. */
  readonly walkBudgetMs?: number;
  /** Told before the directory is taken over from an earlier format, for which a copy is made. */
  readonly onUpgrade?: (upgrade: FormatUpgrade) => void;
  /** Held back on the disk for when it is full, bytes. Default 0: none. */
  readonly reserveBytes?: number;
  /** statfs(2); replaced in tests. */
  readonly statFileSystem?: StatFileSystem;
};

export type LmdbStorage = Storage & {
  /** Emits once when the storage can never commit again; the process should end, its supervisor starts another. */
  readonly fatal$: Observable<StorageError>;
};

/** What LMDB says of a file that looked sound but is not. */
const REFUSED_BY_LMDB = /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION_MISMATCH|PANIC)/;

/** Emits the storage once it is open, then completes; errors with a StorageError. */
export function openLmdbStorage(options: LmdbStorageOptions): Observable<LmdbStorage> {
  const { directory, clock } = options;
  return defer(() => {
    prepareDirectory(directory, options.statFileSystem);
    // Before anything of ours is put into a directory that is another's.
    if (options.role !== undefined) refuseOtherRole(directory, options.role);
    const lock = lockDirectory(directory);
    const reserve = createDiskReserve({ directory, bytes: options.reserveBytes ?? 0, clock });
    return defer(() => {
      removeUnfinished(directory);
      withReserve(directory, reserve, () => checkIdentity(directory, clock.now()));
      const before = readInUse(directory);
      return inspectFile({
        directory,
        before,
        bootId: clock.bootId,
        now: clock.now(),
        clock,
        budgetMs: options.walkBudgetMs ?? 20_000,
      });
    }).pipe(
      map((inspection) => startStorage(options, { lock, reserve }, inspection)),
      catchError((error: unknown) => {
        if (!REFUSED_BY_LMDB.test(errorText(error))) throw error;
        return salvageDataFile({ directory, now: clock.now() }, errorText(error)).pipe(
          map((inspection) => startStorage(options, { lock, reserve }, inspection)),
        );
      }),
      catchError((error: unknown) => {
        lock.release();
        return throwError(() =>
          asStorageError(error, `Cannot open the data directory ${directory}`, directory),
        );
      }),
      concatMap((storage) => takeRole(storage, options)),
    );
  });
}

/**
 * Marks the directory with role and format where it is not yet, unless the records are those of the other: then closes
 * again and errors. What an earlier version has written is copied first.
 */
function takeRole(
  storage: LmdbStorage,
  { directory, role, onUpgrade }: Pick<LmdbStorageOptions, 'directory' | 'role' | 'onUpgrade'>,
): Observable<LmdbStorage> {
  if (role === undefined || isMarked(directory, role)) return of(storage);
  const closeWith = (error: unknown) =>
    concat(
      storage.close().pipe(catchError(() => EMPTY)),
      throwError(() => error),
    );
  const belongsTo = storage.read(roleOfRecords) ?? role;
  if (belongsTo !== role) {
    markQuietly(() => noteRole(directory, belongsTo));
    return closeWith(wrongRole(directory, belongsTo, role));
  }
  const isEmpty = storage.read((reader) => reader.keys({ ...ALL_KEYS, limit: 1 })).length === 0;
  const upgrade = isEmpty ? null : upgradeOf(directory, role, DATA_FILE);
  if (upgrade !== null) onUpgrade?.(upgrade);
  return defer(() => (upgrade === null ? of(undefined) : from(keepCopy(directory, DATA_FILE, upgrade)))).pipe(
    map(() => {
      markQuietly(() => markDirectory(directory, role));
      return storage;
    }),
    catchError(closeWith),
  );
}

const ALL_KEYS = { from: Uint8Array.of(0), to: Uint8Array.of(0xff) };

/** Where it cannot be written, as on a full disk, it is found out again at the next open. */
function markQuietly(mark: () => void): void {
  try {
    mark();
  } catch {}
}

/** What a storage consists of while it is open. */
type Running = {
  readonly directory: string;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly lock: DirectoryLock;
  readonly reserve: DiskReserve;
  readonly mark: InUseMark;
  readonly environment: Environment;
  readonly damage$: ReplaySubject<Damage>;
  readonly fatal$: ReplaySubject<StorageError>;
};

function startStorage(
  options: LmdbStorageOptions,
  holdings: { readonly lock: DirectoryLock; readonly reserve: DiskReserve },
  inspection: Inspection,
): LmdbStorage {
  const running = openData(options, holdings, inspection);
  const { environment, damage$, fatal$ } = running;
  const salvage = environment.own(SALVAGE_RECORD);
  const noted = notedDamage(options.directory);
  // What an earlier open found, and perhaps nobody heard of.
  for (const damage of untold(noted, salvage, inspection.damage)) damage$.next(damage);
  const isUntold = salvage !== undefined || noted.length > 0;
  const flush = createFlush(running, isUntold, (failure) => {
    queue.fail(failure);
    fatal$.next(failure);
  });
  const queue = createCommitQueue({ view: environment.view, flush, defer: (run) => queueMicrotask(run) });
  let closing: Observable<never> | null = null;
  let closed = false;
  const finish = () => {
    closed = true;
    queue.fail(closedError());
    return from(environment.close());
  };
  return {
    read: (work) => {
      if (closed) throw closedError();
      return environment.view(work);
    },
    commit: queue.commit,
    stats: () => ({ usedBytes: environment.usedBytes(), fileBytes: environment.fileBytes() }),
    isShort: holdings.reserve.isSpent,
    isInPlace: environment.isInPlace,
    damage$: damage$.asObservable(),
    fatal$: fatal$.asObservable(),
    close: () =>
      defer(() => {
        closing ??= startClosing(running, concat(queue.drained$, defer(finish)));
        return closing;
      }),
  };
}

/** Without a note, as of an earlier version, the salvaged file itself tells. */
function untold(
  noted: readonly Damage[],
  salvage: Uint8Array | undefined,
  found: readonly Damage[],
): readonly Damage[] {
  if (noted.length > 0) return noted.filter((one) => !found.some((other) => isSame(one, other)));
  if (salvage === undefined || found.length > 0) return [];
  return [{ what: 'file', key: null, detail: Buffer.from(salvage).toString(), quarantine: null }];
}

/** Opens the file, with the marker of its use alongside it. */
function openData(
  { directory, clock, commitDeadlineMs = 10_000 }: LmdbStorageOptions,
  { lock, reserve }: { readonly lock: DirectoryLock; readonly reserve: DiskReserve },
  { uncleanEnds, fruitless, damage: found }: Inspection,
): Running {
  const path = join(directory, DATA_FILE);
  const damage$ = new ReplaySubject<Damage>(1000);
  const fatal$ = new ReplaySubject<StorageError>(1);
  const mark = createInUseMark(directory, { bootId: clock.bootId, uncleanEnds, fruitless: fruitless + 1 });
  withReserve(directory, reserve, () => makeRoomToOpen(path));
  markOpened(directory, reserve, mark.value());
  const onDamage = oncePerRecord((damage) => {
    damage$.next(damage);
    // The next open looks through the file before it trusts it.
    mark.suspect();
  });
  const environment = openEnvironment({ path, readOnly: false, onDamage });
  for (const damage of found) damage$.next(damage);
  return {
    directory,
    clock,
    deadlineMs: commitDeadlineMs,
    lock,
    reserve,
    mark,
    environment,
    damage$,
    fatal$,
  };
}

function oncePerRecord(report: (damage: Damage) => void): (damage: Damage) => void {
  const told = new Set<string>();
  return (damage) => {
    const id = `${damage.what} ${damage.key === null ? '' : Buffer.from(damage.key).toString('hex')}`;
    if (told.has(id)) return;
    if (told.size < 10_000) told.add(id);
    report(damage);
  };
}

/** `onUnusable` is told of a failure after which nothing can be committed any more. */
function createFlush(
  running: Running,
  isSalvaged: boolean,
  onUnusable: (failure: StorageError) => void,
): (operations: readonly Operation[]) => Observable<never> {
  const { directory, environment, lock, reserve, mark } = running;
  let salvageTold = !isSalvaged;
  return (operations) =>
    defer(() => {
      if (!environment.isInPlace()) throw replacedError(directory);
      lock.keep();
      const forget: Operation[] = salvageTold ? [] : [{ key: Buffer.from(SALVAGE_RECORD), value: null }];
      const write = () => from(environment.write(operations, forget));
      return defer(write).pipe(
        // Once more the same: where the first did get through, nothing changes.
        catchError((error: unknown) => {
          if (!isDiskFull(error, directory) || !reserve.spend()) throw error;
          return write();
        }),
      );
    }).pipe(
      withDeadline(running, 'A commit'),
      catchError((error: unknown) => {
        mark.noteCommit();
        const failure = asStorageError(error, `A commit in ${directory} failed`, directory);
        if (failure.code === 'deadline' || failure.code === 'unusable') onUnusable(failure);
        return throwError(() => failure);
      }),
      tap(() => {
        if (!salvageTold) forgetDamage(directory);
        salvageTold = true;
        mark.noteCommit();
      }),
      ignoreElements(),
    );
}

/** Runs `work` once however often it is asked for, and even if the asker turns away. */
function startClosing(running: Running, work: Observable<void>): Observable<never> {
  const { lock, mark, damage$, fatal$ } = running;
  const done$ = new ReplaySubject<never>();
  work.pipe(ignoreElements(), withDeadline(running, 'Closing')).subscribe({
    complete: () => {
      // Where a read failed the mark stays, so that the next open looks through the file; also where the disk takes no
      // writes any more.
      if (!mark.value().suspect) mark.clear();
      lock.release();
      damage$.complete();
      fatal$.complete();
      done$.complete();
    },
    // The lock stays with the process: a commit that hangs may yet write.
    error: (error: unknown) => done$.error(error),
  });
  return done$;
}

function withDeadline({ directory, clock, deadlineMs }: Running, what: string) {
  return timeout<unknown, Observable<never>>({
    first: deadlineMs,
    scheduler: clock.scheduler,
    with: () => throwError(() => deadlineError(what, directory, deadlineMs)),
  });
}

function deadlineError(what: string, directory: string, deadlineMs: number): StorageError {
  return new StorageError(
    'deadline',
    `${what} in ${directory} did not end within ${deadlineMs} ms; the disk may be failing. Restart the process.`,
  );
}

function replacedError(directory: string): StorageError {
  const path = join(directory, DATA_FILE);
  return new StorageError(
    'replaced',
    `${path} was moved, deleted or replaced while it was in use. Nothing more is committed: it would be gone at the next start. Move the file itself back (mv), and this process goes on by itself. Where it was deleted, copy it from /proc/${process.pid}/fd before this process ends (ls -l shows it there as deleted), stop the process, put the copy in its place, and start again`,
  );
}

function asStorageError(error: unknown, what: string, directory: string): StorageError {
  if (error instanceof StorageError) return error;
  const message = errorText(error);
  return isDiskFull(error, directory)
    ? new StorageError('full', `${what}: the disk is full (${message}). Free some space.`, { cause: error })
    : new StorageError('io', `${what}: ${message}`, { cause: error });
}
