/** The adapter to the machine's files: asynchronous, so that a file system that hangs stops nothing but its reader. */
import { readdir, readFile, type StatsFs, statfs } from 'node:fs';
import { join } from 'node:path';
import { catchError, Observable, of, throwError } from 'rxjs';

export type HostFiles = {
  /** Text of a file, such as `/proc/stat`; errors when it cannot be read. */
  readonly read: (path: string) => Observable<string>;
  /** Text of a file that not every machine has; null when it is not there or cannot be read now. */
  readonly readOptional: (path: string) => Observable<string | null>;
  /** Names in a directory; empty when it is not there. */
  readonly list: (path: string) => Observable<readonly string[]>;
  readonly statfs: (path: string) => Observable<Pick<StatsFs, 'bsize' | 'blocks' | 'bfree' | 'bavail'>>;
};

/** `root` stands before every path: `/` for this machine, another where /proc and /sys of a host are mounted in a container. */
export function createHostFiles(root: string): HostFiles {
  const at = (path: string) => join(root, path);
  const read = (path: string) => fromCallback<string>((done) => readFile(at(path), 'utf8', done));
  return {
    read,
    readOptional: (path) => read(path).pipe(catchError(() => of(null))),
    list: (path) =>
      fromCallback<string[]>((done) => readdir(at(path), done)).pipe(
        catchError((error: unknown) => (isMissing(error) ? of([]) : throwError(() => error))),
      ),
    statfs: (path) => fromCallback<StatsFs>((done) => statfs(at(path), done)),
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

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
