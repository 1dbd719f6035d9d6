/** A secret that is kept in a file: one word, with any white space around it. */
import { readTextFile } from './text-file.ts';

/** As long as a secret may be as a setting. */
const MAX_LENGTH = 4_096;
/** With the white space around it. */
const MAX_BYTES = 64 * 1024;

export type SecretFile =
  | { readonly ok: true; readonly secret: string }
  /** `problem` goes on after the file's name. */
  | { readonly ok: false; readonly problem: string; readonly cause?: unknown };

export function readSecretFile(path: string): SecretFile {
  const read = readTextFile(path, MAX_BYTES);
  if (!read.ok) {
    const { problem, cause } = read;
    return {
      ok: false,
      problem: `cannot be read (${problem}): put the token there, readable for this user`,
      cause,
    };
  }
  const text = read.text.trim();
  if (text === '') return { ok: false, problem: 'is empty: put the token there' };
  if (text.length > MAX_LENGTH || /\s/.test(text))
    return {
      ok: false,
      problem: `holds no token: it must be one word of at most ${MAX_LENGTH} characters`,
    };
  return { ok: true, secret: text };
}
