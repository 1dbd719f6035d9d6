/**
 * The labels of agents: what each tells at hello, and what HQ sets over it. One small record an agent, written when it
 * changes; an agent without a label has none.
 */
import { defer, ignoreElements, type Observable, tap } from 'rxjs';
import {
  effectiveLabels,
  type LabelRecord,
  type Labels,
  type SetLabels,
  sameLabels,
} from '../../protocol/labels.ts';
import type { LabelStore } from '../store/store.ts';
import { createRecordKeeper } from './record-keeper.ts';

export type LabelKeeper = {
  /** Those that count. */
  readonly of: (agent: string) => Labels;
  readonly record: (agent: string) => LabelRecord;
  /** What an agent tells at hello. */
  readonly told: (agent: string, labels: Labels) => void;
  /**
   * In place of what HQ has set before. Completes once it is durable, and counts from then on; errors: as of the store,
   * and then nothing has changed.
   */
  readonly set: (agent: string, labels: SetLabels) => Observable<never>;
  /** All of the agent has been removed. */
  readonly forget: (agent: string) => void;
  readonly retry: () => void;
};

const NONE: LabelRecord = { told: {}, set: {} };
const NO_LABELS: Labels = {};

export function createLabelKeeper(
  saveLabels: LabelStore['saveLabels'],
  found: ReadonlyMap<string, LabelRecord>,
): LabelKeeper {
  /** As last written, or about to be. */
  const kept = new Map(found);
  const effective = new Map([...found].map(([agent, record]) => [agent, effectiveLabels(record)]));
  const records = createRecordKeeper(saveLabels);
  const record = (agent: string) => kept.get(agent) ?? NONE;
  const keep = (agent: string, labels: LabelRecord): LabelRecord | null => {
    if (Object.keys(labels.told).length + Object.keys(labels.set).length === 0) {
      kept.delete(agent);
      effective.delete(agent);
      return null;
    }
    kept.set(agent, labels);
    effective.set(agent, effectiveLabels(labels));
    return labels;
  };
  return {
    of: (agent) => effective.get(agent) ?? NO_LABELS,
    record,
    told: (agent, told) => {
      const before = record(agent);
      if (!sameLabels(before.told, told)) records.put(agent, keep(agent, { told, set: before.set }));
    },
    set: (agent, set) =>
      defer(() => {
        const { told } = record(agent);
        const isEmpty = Object.keys(told).length + Object.keys(set).length === 0;
        return saveLabels(new Map([[agent, isEmpty ? null : { told, set }]])).pipe(
          tap({
            complete: () => {
              // Again: what the agent told meanwhile, or what could not be written before, lacks what is set now.
              records.put(agent, keep(agent, { told: record(agent).told, set }));
            },
          }),
          ignoreElements(),
        );
      }),
    forget: (agent) => {
      kept.delete(agent);
      effective.delete(agent);
      records.forget(agent);
    },
    retry: records.retry,
  };
}
