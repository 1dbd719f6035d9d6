/** What every command that asks HQ takes: where HQ is, the token of an operator, and how to print. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readSecretFile } from '../../platform/secret-file.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { createHqClient, type HqClient } from './hq-client.ts';
import { FORMATS, type Format } from './rows.ts';

export type AskOptions = { readonly hq?: string; readonly tokenFile?: string; readonly output: Format };

const DEFAULT_URL = 'http://127.0.0.1:8000';

export function addAskOptions(command: Command): Command {
  return command
    .option('--hq <url>', `address of HQ; HOLDFAST_HQ; default ${DEFAULT_URL}`, parseUrl)
    .option(
      '--token-file <file>',
      'file with the operator token; HOLDFAST_OPERATOR_TOKEN_FILE, or the token itself in HOLDFAST_OPERATOR_TOKEN',
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices([...FORMATS]).default('table'));
}

/** A client as the options and the environment say. Throws a CommandFailure. */
export function clientOf(
  { hq, tokenFile }: AskOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): HqClient {
  // Of several ways to HQ, as agents may have them, the best.
  const [way] = (environment.HOLDFAST_HQ ?? '').split(/[\s,]+/).filter((one) => one !== '');
  return createHqClient({ url: hq ?? urlOf(way), token: tokenOf(tokenFile, environment) });
}

function urlOf(way: string | undefined): string {
  if (way === undefined) return DEFAULT_URL;
  const problem = problemOf(way);
  if (problem !== null) throw new CommandFailure(EXIT.configuration, `HOLDFAST_HQ: ${problem}`);
  return way;
}

/** Throws InvalidArgumentError. */
export function parseUrl(text: string): string {
  const problem = problemOf(text);
  if (problem !== null) throw new InvalidArgumentError(problem);
  return text;
}

function problemOf(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return `expected an address such as ${DEFAULT_URL}`;
  if (url.username !== '' || url.password !== '')
    return 'a user and a password are not taken here: use --token-file';
  return null;
}

function tokenOf(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const path = file ?? filled(environment.HOLDFAST_OPERATOR_TOKEN_FILE);
  if (path === undefined) return filled(environment.HOLDFAST_OPERATOR_TOKEN);
  const found = readSecretFile(path);
  if (found.ok) return found.secret;
  throw new CommandFailure(EXIT.configuration, `the token file ${path} ${found.problem}`);
}

/** An empty variable counts as unset. */
const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
