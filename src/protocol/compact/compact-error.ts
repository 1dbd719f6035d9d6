/** What is wrong with a compact message. */
export type CompactErrorCode =
  /** It ends within a field. */
  | 'truncated'
  /** A type that this version does not know. */
  | 'unknown_type'
  /** A field that cannot be so. */
  | 'malformed'
  /** A length or a count beyond its bound. */
  | 'too_large';

/** Everything that decoding a compact message throws. */
export class CompactError extends Error {
  override readonly name = 'CompactError';
  readonly code: CompactErrorCode;
  constructor(code: CompactErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
