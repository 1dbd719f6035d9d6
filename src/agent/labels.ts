/** The setting `labels`: a list of `name=value`, or in a file a map. */
import { z } from 'zod';
import { kindOf, shown } from '../platform/plain-error.ts';
import { type Labels, labelsSchema } from '../protocol/labels.ts';

const FORM = 'expected NAME=VALUE, such as site=nord';

type Given = readonly string[] | Readonly<Record<string, unknown>>;
type Pair = readonly [name: string, value: string];

export const agentLabelsSchema = z
  .union([z.array(z.string()), z.record(z.string(), z.unknown())], { error: `${FORM}, or a map of labels` })
  .transform((given: Given, context): Labels => {
    const tell = (message: string) => void context.addIssue({ code: 'custom', message });
    const pairs = isList(given) ? pairsOfList(given, tell) : pairsOfMap(given, tell);
    const labels = new Map<string, string>();
    for (const [name, value] of pairs) {
      if (labels.has(name)) tell(`the label ${shown(name)} is given twice`);
      labels.set(name, value);
    }
    const parsed = labelsSchema.safeParse(Object.fromEntries(labels));
    for (const { path, message } of parsed.error?.issues ?? [])
      tell(path.length === 0 ? message : `${shown(String(path[0]))}: ${message}`);
    return parsed.data ?? z.NEVER;
  });

const isList = (given: Given): given is readonly string[] => Array.isArray(given);

function pairsOfList(texts: readonly string[], tell: (problem: string) => void): Pair[] {
  return texts.flatMap((text): Pair[] => {
    const at = text.indexOf('=');
    if (at >= 0) return [[text.slice(0, at).trim(), text.slice(at + 1).trim()]];
    tell(`${FORM}; got ${shown(text)}`);
    return [];
  });
}

/** YAML reads 7 as a number and true as a switch: their text is known, that of 1.0 or 0x7 is not. */
function pairsOfMap(map: Readonly<Record<string, unknown>>, tell: (problem: string) => void): Pair[] {
  return Object.entries(map).flatMap(([name, value]): Pair[] => {
    if (typeof value === 'string') return [[name, value]];
    if (Number.isSafeInteger(value) || typeof value === 'boolean') return [[name, String(value)]];
    tell(`${shown(name)}: expected a text, got ${kindOf(value)}; put it in quotes`);
    return [];
  });
}
