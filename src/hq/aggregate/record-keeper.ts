/**
 * Writes down small records, the latest of each agent. What comes while a commit is on its way goes with the next; what
 * could not be written is tried again at `retry`.
 */
import type { Observable } from 'rxjs';

export type RecordKeeper<T> = {
  /** Null removes. */
  readonly put: (agent: string, record: T | null) => void;
  /** All of the agent has been removed: nothing is written of it. */
  readonly forget: (agent: string) => void;
  readonly retry: () => void;
};

/** `save` completes when the changes are durable. */
export function createRecordKeeper<T>(
  save: (changes: ReadonlyMap<string, T | null>) => Observable<unknown>,
): RecordKeeper<T> {
  /** To be written; null: to be removed. */
  const due = new Map<string, T | null>();
  let saving = false;

  function saveDue(): void {
    if (saving || due.size === 0) return;
    const batch = new Map(due);
    due.clear();
    saving = true;
    save(batch).subscribe({
      error: () => {
        saving = false;
        for (const [agent, record] of batch) if (!due.has(agent)) due.set(agent, record);
      },
      complete: () => {
        saving = false;
        saveDue();
      },
    });
  }

  return {
    put: (agent, record) => {
      due.set(agent, record);
      saveDue();
    },
    forget: (agent) => void due.delete(agent),
    retry: saveDue,
  };
}
