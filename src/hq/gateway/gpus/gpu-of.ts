/** Which GPU a series is of, by the attributes that exporters give it. */
import type { SeriesDocument } from '../../../protocol/api.ts';
import { seriesKey } from '../../../protocol/series-key.ts';

export type GpuName = {
  /** Null: its exporter gives none. */
  readonly uuid: string | null;
  /** Of the GPU in its machine; null: its exporter gives none. */
  readonly index: string | null;
  readonly model: string | null;
  readonly host: string | null;
};

/** Names of attributes, in order of preference. */
const UUIDS = ['uuid', 'UUID'];
const INDICES = ['gpu_id', 'gpu'];
const MODELS = ['modelName', 'model'];
const HOSTS = ['Hostname', 'hostname', 'host'];
const IS_GPU = /^(GPU|MIG)-/i;
/** What says which GPU it is, and nothing of what is measured. */
const NAMING = new Set([...UUIDS, ...INDICES, ...MODELS, ...HOSTS, 'device']);

/** Null: it is of no GPU. */
export function gpuOf({ attributes }: Pick<SeriesDocument, 'attributes'>): GpuName | null {
  const first = (names: readonly string[]) => {
    const name = names.find((one) => Object.hasOwn(attributes, one) && attributes[one] !== '');
    return name === undefined ? null : (attributes[name] ?? null);
  };
  const index = first(INDICES);
  const uuid = first(UUIDS);
  // Disks have uuids, too.
  if (index === null && (uuid === null || !IS_GPU.test(uuid))) return null;
  return { uuid, index, model: first(MODELS), host: first(HOSTS) };
}

/** What a series measures of its GPU: its key without what says which GPU it is. */
export function metricOf({ name, attributes }: Pick<SeriesDocument, 'name' | 'attributes'>): string {
  const others = Object.entries(attributes).filter(([key]) => !NAMING.has(key));
  return seriesKey({ name, attributes: Object.fromEntries(others) });
}
