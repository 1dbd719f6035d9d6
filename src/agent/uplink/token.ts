/**
 * The secret that HQ asks of agents: a text, or a file that is read at each connection, so that it can be changed in
 * place.
 */
import { readFileSync } from 'node:fs';
import { LinkError } from './link.ts';

export type TokenOptions = {
  readonly token?: string | undefined;
  /** Path; white space around its content does not count. */
  readonly tokenFile?: string | undefined;
};

/** As long as a token may be as a setting, and some white space. */
const MAX_LENGTH = 4_096;

/** Gives the token of now, undefined where none is set; throws a LinkError of kind `token_file`. */
export function createTokenReader({ token, tokenFile }: TokenOptions): () => string | undefined {
  return tokenFile === undefined ? () => token : () => readToken(tokenFile);
}

function readToken(path: string): string {
  const refuse = (problem: string, cause?: unknown) =>
    new LinkError('token_file', `The token file ${path} ${problem} (--token-file).`, { cause });
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw refuse(`cannot be read (${code}): put the token there, readable for this user`, error);
  }
  if (text === '') throw refuse('is empty: put the token there');
  if (text.length > MAX_LENGTH || /\s/.test(text))
    throw refuse(`holds no token: it must be one word of at most ${MAX_LENGTH} characters`);
  return text;
}
