/**
 * The adapter to the machine's files.
 *
 * What the kernel makes up in memory (/proc, /sys) is read at once: a trip through the thread pool costs many times the
 * read. What may take long is asked for asynchronously, so that it stops nothing but its reader: disks, sensors, and
 * files of /proc that a program or another machine answers for (lxcfs in containers, a mounted network).
 */
import {
  existsSync,
  lstatSync,
  readdir,
  readdirSync,
  readFile,
  readFileSync,
  realpathSync,
  type Stats,
  type StatsFs,
  stat,
  statfs,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { catchError, forkJoin, map, Observable, of, switchMap, tap, throwError } from 'rxjs';

export type HostFiles = {
  /**
   * Whether they are those of another set of namespaces than the agent's own: what the agent itself sees says nothing
   * about them.
   */
  readonly isForeign: boolean;
  /** Where `path` is found by this process, for messages. */
  readonly locate: (path: string) => string;
  /** Text of a file, such as `/proc/stat`; the same for all who ask in one round. Throws when it cannot be read. */
  readonly read: (path: string) => string;
  /** Text of a file that not every machine has; null when it is not there or cannot be read now. */
  readonly readOptional: (path: string) => string | null;
  /** Names in a directory; empty when it is not there. */
  readonly list: (path: string) => readonly string[];
  /** Whether something is there. */
  readonly has: (path: string) => boolean;
  /** The place behind all links; null when it is not there. */
  readonly realPath: (path: string) => string | null;
  /** As `readOptional`, for files whose answer may take its time. */
  readonly readLater: (path: string) => Observable<string | null>;
  /** As `list`, for directories whose answer may take its time. */
  readonly listLater: (path: string) => Observable<readonly string[]>;
  readonly statfs: (path: string) => Observable<FileSystemSpace>;
  /** Number of the device that it lies on, as stat(2) gives it. */
  readonly device: (path: string) => Observable<number>;
  /** What has to be waited for before `paths` can be read; null when nothing has. Emits once, never errors. */
  readonly fetch: (paths: readonly string[]) => Observable<unknown> | null;
  /** Forgets the texts of the round before. */
  readonly beginRound: () => void;
};

export type FileSystemSpace = Pick<StatsFs, 'type' | 'bsize' | 'blocks' | 'bfree' | 'bavail'>;

/** Types of file systems, statfs(2), behind which a program or another machine answers, or does not. */
const ANSWERED_BY_OTHERS = new Set([
  0x65735546, // FUSE
  0x6969, // NFS
  0x517b, // SMB
  0xfe534d42, // SMB2
  0xff534d42, // CIFS
  0x01021997, // 9P
  0x00c36400, // Ceph
]);

type StatFileSystem = (
  path: string,
  done: (error: NodeJS.ErrnoException | null, stats: Pick<StatsFs, 'type'>) => void,
) => void;

/**
 * What the kernel links to the process that looks: below the root of another machine that would be the agent. Process 1
 * stands for the machine there.
 */
const LINKED_TO_SELF = /^\/proc\/(?:(?=net\/|mounts$)|self\/)/;

/**
 * `root` stands before every path: `/` for this machine, another where /proc and /sys of a host are mounted in a
 * container.
 */
export function createHostFiles(root: string, statFileSystem: StatFileSystem = statfs): HostFiles {
  const isForeign = resolve(root) !== '/' && isLink(join(root, 'proc/self'));
  const at = (path: string) => join(root, isForeign ? path.replace(LINKED_TO_SELF, '/proc/1/') : path);
  /** Texts of this round. */
  const texts = new Map<string, string>();
  /** Files that were not there: asking whether they are costs less than the error. */
  const absent = new Set<string>();
  /** Whether others answer for a file; found out before it is read for the first time. */
  const kinds = new Map<string, 'kernel' | 'others'>();
  /** What others answered last. */
  const answers = new Map<string, string | Error>();

  const read = (path: string): string => {
    const known = texts.get(path);
    if (known !== undefined) return known;
    const answer = answers.get(path);
    if (answer instanceof Error) throw answer;
    const text = answer ?? readFileSync(at(path), 'utf8');
    if (answer === undefined) texts.set(path, text);
    return text;
  };
  const readOptional = (path: string): string | null => {
    if (absent.has(path) && !existsSync(at(path))) return null;
    try {
      const text = read(path);
      absent.delete(path);
      return text;
    } catch {
      absent.add(path);
      return null;
    }
  };
  const readLater = (path: string) => fromCallback<string>((done) => readFile(at(path), 'utf8', done));

  const kindOf = (path: string) =>
    fromCallback<Pick<StatsFs, 'type'>>((done) => statFileSystem(at(path), done)).pipe(
      map(({ type }) => (ANSWERED_BY_OTHERS.has(type >>> 0) ? ('others' as const) : ('kernel' as const))),
      // Not there: its reader finds out.
      catchError(() => of('kernel' as const)),
      tap((kind) => kinds.set(path, kind)),
    );
  const ask = (path: string) =>
    readLater(path).pipe(
      catchError((error: unknown) => of(error instanceof Error ? error : new Error(String(error)))),
      tap((answer) => answers.set(path, answer)),
    );
  const fetchOne = (path: string): Observable<unknown> => {
    const kind = kinds.get(path);
    if (kind === undefined) {
      return kindOf(path).pipe(switchMap((found) => (found === 'others' ? ask(path) : of(null))));
    }
    return kind === 'others' ? ask(path) : of(null);
  };

  return {
    isForeign,
    locate: at,
    read,
    readOptional,
    has: (path) => existsSync(at(path)),
    realPath: (path) => {
      try {
        return realpathSync(at(path));
      } catch {
        return null;
      }
    },
    list: (path) => {
      try {
        return readdirSync(at(path));
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
    readLater: (path) => readLater(path).pipe(catchError(() => of(null))),
    listLater: (path) =>
      fromCallback<string[]>((done) => readdir(at(path), done)).pipe(
        catchError((error: unknown) => (isMissing(error) ? of([]) : throwError(() => error))),
      ),
    statfs: (path) => fromCallback<StatsFs>((done) => statfs(at(path), done)),
    device: (path) => fromCallback<Stats>((done) => stat(at(path), done)).pipe(map(({ dev }) => dev)),
    fetch: (paths) =>
      paths.every((path) => kinds.get(path) === 'kernel') ? null : forkJoin(paths.map(fetchOne)),
    beginRound: () => texts.clear(),
  };
}

function fromCallback<T>(
  start: (done: (error: NodeJS.ErrnoException | null, value: T) => void) => void,
): Observable<T> {
  return new Observable((subscriber) => {
    start((error, value) => {
      if (error !== null) return subscriber.error(error);
      subscriber.next(value);
      subscriber.complete();
    });
  });
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch (error) {
    // Below a file there is nothing, either.
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
