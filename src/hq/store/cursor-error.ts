/** The cursor is not one that this store gave out; the fault is the caller's. */
export class CursorError extends Error {
  override readonly name = 'CursorError';
}
