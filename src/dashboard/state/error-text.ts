/** What an error says, for a person; anything may be thrown. The server's twin is out of reach of a browser. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
