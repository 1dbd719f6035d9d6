/** What was found to be wrong. */
export type Violation = { readonly at: number; readonly rule: Rule; readonly detail: string };

/** The promises that are checked; docs/testing.md says which of DESIGN's each belongs to. */
export type Rule =
  | 'ack_before_flush'
  | 'ack_goes_back'
  | 'ack_leaves_out'
  | 'stored_twice'
  | 'wrong_content'
  | 'unreadable'
  | 'released_before_ack'
  | 'lost'
  | 'false_gap'
  | 'not_drained'
  | 'live_lag'
  | 'link_wasted'
  | 'self_inflicted_disconnect'
  | 'sent_twice'
  | 'over_budget'
  | 'ledger'
  | 'disk_bound'
  | 'order'
  | 'rollups'
  | 'dashboard'
  | 'not_removed'
  | 'crash';

export type Violations = {
  readonly report: (rule: Rule, detail: string) => void;
  readonly list: () => readonly Violation[];
};

const MAX_KEPT = 20;

export function createViolations(now: () => number, note: (line: string) => void): Violations {
  const list: Violation[] = [];
  return {
    report: (rule, detail) => {
      note(`VIOLATION ${rule}: ${detail}`);
      if (list.length < MAX_KEPT) list.push({ at: now(), rule, detail });
    },
    list: () => list,
  };
}
