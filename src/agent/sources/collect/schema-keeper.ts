import type { InternedSchema, Series } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';

/** The schema of a list of series: the same object while the list stays the same. */
export function createSchemaKeeper(
  source: string,
  boot: string,
): (series: readonly Series[]) => InternedSchema {
  let current: InternedSchema | null = null;
  return (series) => {
    const same =
      current !== null &&
      current.series.length === series.length &&
      current.series.every((one, index) => one === series[index]);
    if (current === null || !same) current = internSchema({ source, boot, series: [...series] });
    return current;
  };
}
