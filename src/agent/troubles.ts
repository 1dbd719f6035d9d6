/** Remembers the latest things that went wrong, for the status page. */
import type { Clock } from '../platform/clock.ts';
import type { Trouble } from './status.ts';

const MAX_TROUBLES = 8;

/** Events that people should see, with what to say of each. */
const WORTH_TELLING: ReadonlyMap<string, string> = new Map([
  ['link_down', 'No link to HQ'],
  ['way_failed', 'A better way to HQ does not work'],
  ['way_changed', 'HQ is reached over another way'],
  ['upgrade_blocked', 'HQ is reached by long polling'],
  ['delivery_paused', 'HQ takes no frames'],
  ['traffic_count_lost', 'The count of bytes was lost'],
  ['traffic_count_not_kept', 'The count of bytes cannot be kept'],
  ['samples_rejected', 'Samples can never be delivered'],
  ['duplicate_agent', 'Another agent claims this id'],
  ['acks_taken_back', 'HQ lost what it had confirmed'],
  ['journal_failing', 'The journal does not work'],
  ['journal_in_memory', 'Samples are kept in memory only'],
  ['disk_full_changed', 'The disk of the journal'],
  ['journal_missing', 'The journal is gone'],
  ['journal_damaged', 'Part of the journal could not be trusted'],
  ['source_failed', 'A source failed'],
  ['commit_failing', 'The journal takes no samples'],
]);
/** Fields that hold the reason, the most telling first. */
const REASONS = ['detail', 'reason', 'url'] as const;

export type Troubles = {
  /** An emit that remembers what is worth telling before it passes the event on. */
  readonly watch: <E extends { readonly type: string }>(emit: (event: E) => void) => (event: E) => void;
  /** Newest first. */
  readonly list: () => readonly Trouble[];
};

export function createTroubles(clock: Pick<Clock, 'now'>): Troubles {
  let troubles: readonly Trouble[] = [];
  return {
    watch: (emit) => (event) => {
      const what = WORTH_TELLING.get(event.type);
      if (what !== undefined) {
        const fields = new Map(Object.entries(event));
        const reason = REASONS.map((name) => fields.get(name)).find((value) => value !== undefined);
        troubles = [{ ts: clock.now(), what, detail: String(reason ?? '') }, ...troubles].slice(
          0,
          MAX_TROUBLES,
        );
      }
      emit(event);
    },
    list: () => troubles,
  };
}
