/** The tokens that HQ asks for, where files hold them. */
import { readSecretFile } from '../platform/secret-file.ts';
import type { HqConfig } from './config.ts';

const PAIRS = [
  { token: 'agentToken', file: 'agentTokenFile', flag: '--agent-token-file' },
  { token: 'operatorToken', file: 'operatorTokenFile', flag: '--operator-token-file' },
] as const;

type Tokens = Pick<HqConfig, 'agentToken' | 'operatorToken' | 'agentTokenFile' | 'operatorTokenFile'>;

/** `config` with the tokens that its files hold; `problems` says what is wrong with those. */
export function withTokensOfFiles<C extends Tokens>(
  config: C,
): { readonly config: C; readonly problems: readonly string[] } {
  const problems: string[] = [];
  let read = config;
  for (const { token, file, flag } of PAIRS) {
    const path = config[file];
    if (path === '') continue;
    if (config[token] !== '') {
      problems.push(`${token} and ${file} are both set; only one of them can hold the token.`);
      continue;
    }
    const found = readSecretFile(path);
    if (found.ok) read = { ...read, [token]: found.secret };
    else problems.push(`${file}: the token file ${path} ${found.problem} (${flag}).`);
  }
  return { config: read, problems };
}
