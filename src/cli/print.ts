/** Writing to standard output, which a pipe may hold up or leave. */

/** Of pipes, and of the sockets that stand for them between programs of Node. */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET']);

/**
 * Writes a line, or what ends otherwise, and waits while a slow reader holds the pipe up; false when the reader has
 * left, as `head` does.
 */
export function print(line: string, end = '\n'): Promise<boolean> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${line}${end}`, (error) => {
      if (error === null || error === undefined) resolve(true);
      else if ('code' in error && READER_GONE.has(String(error.code))) resolve(false);
      else reject(error);
    });
  });
}
