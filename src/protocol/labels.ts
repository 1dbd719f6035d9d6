/** Labels of agents: what people sort and choose them by, such as `site=nord`. */
import { z } from 'zod';
import { isLegalText } from './legal-text.ts';

/** Of one agent, and as many that HQ sets. */
export const MAX_LABELS = 32;
export const MAX_LABEL_VALUE = 128;

const NAME =
  'a label is named by letters, digits and . _ - with a letter first, 63 characters at most, such as site';
export const labelNameSchema = z.string({ error: NAME }).regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/, NAME);

const VALUE = `the value of a label is 1 to ${MAX_LABEL_VALUE} characters, no control characters among them`;
export const labelValueSchema = z
  .string({ error: VALUE })
  .min(1, VALUE)
  .max(MAX_LABEL_VALUE, VALUE)
  .refine(isLegalText, VALUE);

function few(all: object): boolean {
  return Object.keys(all).length <= MAX_LABELS;
}
const named = { error: ({ code }: z.core.$ZodRawIssue) => (code === 'invalid_key' ? NAME : undefined) };
const FEW = { error: `an agent has ${MAX_LABELS} labels at most` };

/** By name. */
export const labelsSchema = z.record(labelNameSchema, labelValueSchema, named).refine(few, FEW);
export type Labels = Readonly<Record<string, string>>;

/** What HQ sets: null hides a label that the agent tells. */
export const setLabelsSchema = z.record(labelNameSchema, labelValueSchema.nullable(), named).refine(few, FEW);
export type SetLabels = Readonly<Record<string, string | null>>;

export type LabelRecord = {
  /** By the agent at its latest hello. */
  readonly told: Labels;
  /** By HQ, which wins. */
  readonly set: SetLabels;
};

/** The labels that count, by name. */
export function effectiveLabels({ told, set }: LabelRecord): Labels {
  const all = Object.entries({ ...told, ...set }).filter((one): one is [string, string] => one[1] !== null);
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether both say the same. */
export function sameLabels(one: SetLabels, other: SetLabels): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && one[name] === other[name])
  );
}
