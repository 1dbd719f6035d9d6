/** What an error says, for a log line or a person; anything may be thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
