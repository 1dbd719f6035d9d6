/** What to measure, as configured: `--source` text and YAML objects come to the same typed spec. */
import { z } from 'zod';
import { nearestName } from '../../platform/nearest.ts';
import { kindOf, plainError } from '../../platform/plain-error.ts';
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

/** A source as it is configured: the text form, or a map `{ kind, …options }` of a settings file. */
export type GivenSource = string | Readonly<Record<string, unknown>>;

/** Throws SourceSpecError. */
export function readSource(given: GivenSource): SourceSpec {
  return typeof given === 'string' ? parseSourceSpec(given) : checkSourceSpec(given, shownSource(given));
}

/** Wrong types only; what is wrong within a source is said by `sourceProblems`. */
export const givenSourceSchema = z.union([z.string().min(1), z.looseObject({ kind: z.string().min(1) })], {
  error: givenSourceError,
});

function givenSourceError({ input }: z.core.$ZodRawIssue): string {
  const expected = 'expected a text such as host:every=1s, or a map such as {kind: host, every: 1s}';
  if (input === '') return `${expected}, got an empty text`;
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return `${expected}, got ${kindOf(input)}`;
  const { kind } = input as Record<string, unknown>;
  return `${expected}; kind is ${kind === undefined ? 'missing' : kind === '' ? 'empty' : kindOf(kind)}`;
}

/** What is wrong with the sources of an agent, a sentence each; empty when all is well. */
export function sourceProblems(sources: readonly GivenSource[]): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  for (const given of sources) {
    try {
      const { name } = readSource(given);
      if (name === undefined) continue;
      if (names.has(name))
        problems.push(`source \`${shownSource(given)}\`: another source is named \`${name}\` already`);
      names.add(name);
    } catch (error) {
      if (!(error instanceof SourceSpecError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

/** As people wrote it, or nearly. */
function shownSource(given: GivenSource): string {
  if (typeof given === 'string') return given;
  const options = Object.entries(given).map(([key, value]) => `${key}: ${shownValue(value)}`);
  return `{${options.join(', ')}}`;
}

function shownValue(value: unknown): string {
  return typeof value === 'string' && /^[\w./:-]+$/.test(value) ? value : JSON.stringify(value);
}

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
