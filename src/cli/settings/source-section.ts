/** The part of docs/configuration.md about sources, from their schemas. */
import { z } from 'zod';
import { SOURCES } from '../../agent/sources/kinds.ts';
import { SOURCE_KINDS, type SourceSpec } from '../../agent/sources/spec.ts';

const HEAD = `### Sources

What an agent measures is said by \`source\`, a text for each: a kind, or \`kind:option=value,option=value\`. A switch may stand alone (\`loop\`); a value with a
comma is put in double quotes. In a file a source may also be a map of its \`kind\` and its options. Several sources run side by side, each at its own rate:

    holdfast agent --source host:every=5s --source sim:hz=10,sensors=4
    HOLDFAST_SOURCE='host:every=5s;sim:hz=10,sensors=4' holdfast agent

    # holdfast.yaml
    source:
      - host:every=5s
      - csv:path=/data/run.csv,speed=1x,loop
      - {kind: sim, hz: 10, sensors: 4}

Durations take \`500ms\`, \`10s\`, \`5m\`, \`2h\`; a bare number is ms. Every kind has the option \`name\`: what the source is called at HQ. Without it a source is named
after its kind, and numbered from the second on by its place in the list (\`sim\`, \`sim-2\`): name them where the list may change, for HQ keeps series by source.
`;

const propertySchema = z.object({
  description: z.string().default(''),
  default: z.unknown().optional(),
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});
const objectSchema = z.object({
  properties: z.record(z.string(), propertySchema),
  required: z.array(z.string()),
});
type Property = z.infer<typeof propertySchema>;

export function sourceSection(): string {
  return [HEAD, ...SOURCE_KINDS.map(kindSection)].join('\n');
}

function kindSection(kind: SourceSpec['kind']): string {
  const { what, example, schema } = SOURCES[kind];
  const { properties, required } = objectSchema.parse(z.toJSONSchema(schema, { io: 'output' }));
  const rows = Object.entries(properties)
    .filter(([name]) => name !== 'kind')
    .map(([name, property]) => {
      const isNeeded = required.includes(name) && property.default === undefined;
      const cells = [`\`${name}\``, isNeeded ? 'needed' : defaultOf(property), allowedOf(property)];
      return `| ${[...cells, property.description.replaceAll('|', '\\|')].join(' | ')} |`;
    });
  return [
    `\`${kind}\`: ${what}; for instance \`${example}\``,
    '',
    '| option | default | allowed | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function defaultOf({ default: value }: Property): string {
  return value === undefined ? '' : `\`${String(value)}\``;
}

function allowedOf({ type, enum: choices, minimum, maximum }: Property): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(' ');
  if (minimum !== undefined && maximum !== undefined) {
    return `${type === 'integer' ? 'whole, ' : ''}${minimum} to ${maximum}`;
  }
  return type === 'boolean' ? '`true` `false`' : '';
}
