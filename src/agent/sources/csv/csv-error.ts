/** A file that cannot be replayed; the message says what to change. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
}
