/**
 * The settings of a component as a flat list, read from its zod schema, with the names each has as flag, environment
 * variable and YAML key.
 */
import { z } from 'zod';

export type LeafType = 'string' | 'number' | 'boolean' | 'list';

export type Leaf = {
  /** Dotted YAML path: `journal.commitMs`. */
  readonly path: string;
  readonly type: LeafType;
  /** `--journal-commit-ms` */
  readonly flag: string;
  /** `HOLDFAST_JOURNAL_COMMIT_MS` */
  readonly env: string;
  readonly description: string;
  /** Undefined when there is none. */
  readonly defaultValue: unknown;
  readonly choices: readonly string[] | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  /** What a value other than 0 has to be at least; null: no more than `minimum` says. */
  readonly leastUnlessZero: number | null;
  /** Whether its value is shown to nobody. */
  readonly secret: boolean;
  /** What separates the items of a list in one text. */
  readonly separator: RegExp;
  /** Where its value comes from when none of the settings `unless`, nor itself, is given; null: nowhere. */
  readonly fallback: Fallback | null;
};

const fallbackSchema = z.object({ variable: z.string(), unless: z.array(z.string()).default([]) });
/** Another environment variable, of a component that knows the setting by that name. */
export type Fallback = z.infer<typeof fallbackSchema>;

export const ENV_PREFIX = 'HOLDFAST_';

const jsonSchemaNode = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  leastUnlessZero: z.number().optional(),
  secret: z.boolean().default(false),
  separator: z.string().default(';'),
  fallback: fallbackSchema.nullable().default(null),
  properties: z.record(z.string(), z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
});

/** JSON Schema of a component's settings, as `holdfast config schema` prints it. */
export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
}

/** Settings in the order of the schema. */
export function leavesOf(schema: z.ZodType): readonly Leaf[] {
  return walk(jsonSchemaOf(schema), []);
}

function walk(raw: unknown, path: readonly string[]): readonly Leaf[] {
  const node = jsonSchemaNode.parse(raw);
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([key, child]) => walk(child, [...path, key]));
  }
  const words = path.flatMap((part) =>
    part
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(' '),
  );
  return [
    {
      path: path.join('.'),
      type: leafType(node),
      flag: `--${words.join('-')}`,
      env: `${ENV_PREFIX}${words.join('_').toUpperCase()}`,
      description: node.description ?? '',
      defaultValue: node.default,
      choices: node.enum ?? null,
      minimum: node.minimum ?? null,
      maximum: node.maximum !== undefined && node.maximum < Number.MAX_SAFE_INTEGER ? node.maximum : null,
      leastUnlessZero: node.leastUnlessZero ?? null,
      secret: node.secret,
      separator: new RegExp(node.separator),
      fallback: node.fallback,
    },
  ];
}

function leafType(node: z.infer<typeof jsonSchemaNode>): LeafType {
  const types = node.anyOf?.map((one) => jsonSchemaNode.parse(one).type) ?? [];
  // One or several is a list.
  const own = node.type ?? types.find((type) => type === 'array') ?? types.find((type) => type !== 'null');
  if (own === 'number' || own === 'integer') return 'number';
  if (own === 'boolean') return 'boolean';
  return own === 'array' ? 'list' : 'string';
}
