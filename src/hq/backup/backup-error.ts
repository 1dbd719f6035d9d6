/** Why a backup was not made, is not good, or was not restored. Messages say what to do. */
export type BackupErrorCode =
  /** What was asked for cannot be: a wrong directory, a target that exists. */
  | 'refused'
  /** There is no backup, or not all of it. */
  | 'not_a_backup'
  /** It is not what was written. */
  | 'damaged'
  /** There is not enough room. */
  | 'full'
  | 'io';

export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: BackupErrorCode;
  constructor(code: BackupErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
