/** Exit codes, after sysexits(3), and the errors that lead to them. */
export const EXIT = { ok: 0, failure: 1, usage: 64, configuration: 78 } as const;

/** Ends the command with a message for the person and no stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
