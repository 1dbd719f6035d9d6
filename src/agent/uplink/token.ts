/**
 * The secret that HQ asks of agents: a text, or a file that is read at each connection, so that it can be changed in
 * place.
 */
import { readSecretFile } from '../../platform/secret-file.ts';
import { LinkError } from './link.ts';

export type TokenOptions = {
  readonly token?: string | undefined;
  /** Path; white space around its content does not count. */
  readonly tokenFile?: string | undefined;
};

/** Gives the token of now, undefined where none is set; throws a LinkError of kind `token_file`. */
export function createTokenReader({ token, tokenFile }: TokenOptions): () => string | undefined {
  return tokenFile === undefined ? () => token : () => readToken(tokenFile);
}

function readToken(path: string): string {
  const read = readSecretFile(path);
  if (read.ok) return read.secret;
  const { problem, cause } = read;
  throw new LinkError('token_file', `The token file ${path} ${problem} (--token-file).`, { cause });
}
