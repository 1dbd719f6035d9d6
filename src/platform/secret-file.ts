/** A secret that is kept in a file: one word, with any white space around it. */
import { readFileSync } from 'node:fs';

/** As long as a secret may be as a setting. */
const MAX_LENGTH = 4_096;

export type SecretFile =
  | { readonly ok: true; readonly secret: string }
  /** `problem` goes on after the file's name. */
  | { readonly ok: false; readonly problem: string; readonly cause?: unknown };

export function readSecretFile(path: string): SecretFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    return {
      ok: false,
      problem: `cannot be read (${code}): put the token there, readable for this user`,
      cause,
    };
  }
  if (text === '') return { ok: false, problem: 'is empty: put the token there' };
  if (text.length > MAX_LENGTH || /\s/.test(text))
    return {
      ok: false,
      problem: `holds no token: it must be one word of at most ${MAX_LENGTH} characters`,
    };
  return { ok: true, secret: text };
}
