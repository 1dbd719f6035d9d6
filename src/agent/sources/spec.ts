/** What to measure, as configured: `--source` text and YAML objects come to the same typed spec. */
import { z } from 'zod';
import { nearestName } from '../../platform/nearest.ts';
import { plainError } from '../../platform/plain-error.ts';
import { SOURCES } from './kinds.ts';

/** The options of each kind. */
export type SourceSpecs = { readonly [K in keyof typeof SOURCES]: z.infer<(typeof SOURCES)[K]['schema']> };
export type SourceSpec = SourceSpecs[keyof SourceSpecs];
export const SOURCE_KINDS = Object.keys(SOURCES) as readonly SourceSpec['kind'][];

/** A spec that cannot be used; the message names what is wrong and the nearest valid name. */
export class SourceSpecError extends Error {
  override readonly name = 'SourceSpecError';
}

/**
 * Parses `kind` or `kind:key=value,flag,…`; a value with a comma is written in double quotes. Throws SourceSpecError.
 */
export function parseSourceSpec(text: string): SourceSpec {
  const colon = text.indexOf(':');
  const kind = (colon < 0 ? text : text.slice(0, colon)).trim();
  const options: Record<string, string> = Object.create(null);
  for (const item of colon < 0 ? [] : splitOptions(text.slice(colon + 1), text)) {
    const equals = item.indexOf('=');
    const key = (equals < 0 ? item : item.slice(0, equals)).trim();
    if (key === '') throw new SourceSpecError(`source \`${text}\`: an option has no name`);
    if (key in options) throw new SourceSpecError(`source \`${text}\`: option \`${key}\` is given twice`);
    options[key] = equals < 0 ? '' : unquote(item.slice(equals + 1).trim());
  }
  return checkSourceSpec({ ...options, kind }, text);
}

/** What is wrong with the sources of an agent, a sentence each; empty when all is well. */
export function sourceProblems(texts: readonly string[]): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  for (const text of texts) {
    try {
      const { name } = parseSourceSpec(text);
      if (name === undefined) continue;
      if (names.has(name)) problems.push(`source \`${text}\`: another source is named \`${name}\` already`);
      names.add(name);
    } catch (error) {
      if (!(error instanceof SourceSpecError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

/** For configuration files: the text form, or an object `{ kind, …options }`. */
export const sourceSpecSchema = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .transform((value, context): SourceSpec => {
    try {
      return typeof value === 'string'
        ? parseSourceSpec(value)
        : checkSourceSpec(value, JSON.stringify(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });

function checkSourceSpec(value: Readonly<Record<string, unknown>>, text: string): SourceSpec {
  const known = SOURCE_KINDS.find((kind) => kind === value.kind);
  if (known === undefined) {
    const hint = suggestion(String(value.kind), SOURCE_KINDS);
    throw new SourceSpecError(`unknown source \`${String(value.kind)}\`${hint}`);
  }
  const { schema } = SOURCES[known];
  const result = schema.safeParse(value, { error: plainError });
  if (result.success) return result.data;
  const keys = Object.keys(schema.shape).filter((key) => key !== 'kind');
  const problems = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `unknown option \`${key}\`${hintFor(key, known, keys)}`).join('; ')
      : `${issue.path.join('.')}: ${issue.message}`,
  );
  throw new SourceSpecError(`source \`${text}\`: ${problems.join('; ')}`);
}

/** A path where an option should stand was most likely meant as the value of `path`. */
function hintFor(key: string, kind: SourceSpec['kind'], keys: readonly string[]): string {
  const isPath = keys.includes('path') && /[/\\.]/.test(key);
  return isPath ? `; did you mean \`${kind}:path=${key}\`?` : suggestion(key, keys);
}

function suggestion(name: string, candidates: readonly string[]): string {
  const nearest = nearestName(name, candidates);
  return nearest === null ? `; known: ${candidates.join(', ')}` : `; did you mean \`${nearest}\`?`;
}

function splitOptions(text: string, whole: string): readonly string[] {
  const items: string[] = [];
  let item = '';
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === ',' && !quoted) {
      items.push(item);
      item = '';
    } else item += character;
  }
  if (quoted) throw new SourceSpecError(`source \`${whole}\`: a double quote is not closed`);
  items.push(item);
  return items.map((one) => one.trim()).filter((one) => one !== '');
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/** Whether it gives samples as fast as they are taken. */
export function isFullSpeed(spec: SourceSpec): boolean {
  return spec.kind === 'csv' && spec.speed === 'max';
}
