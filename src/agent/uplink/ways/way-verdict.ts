/** What a failure speaks of: the way that was taken, the HQ at its end, or the agent itself. */
import type { WireErrorCode } from '../../../protocol/events.ts';
import type { LinkError, LinkFailure } from '../link.ts';

/**
 * - `passing`: the way, which may be back any moment. The next one follows at once.
 * - `lasting`: the way, until somebody mends it. The next one follows at once, and no working connection is given up
 *   for this one.
 * - `hq`: HQ is there and takes nothing for now, the same over every way. The next attempt is after a wait, with the
 *   next way.
 * - `agent`: no other way would change it.
 */
export type WayVerdict = 'passing' | 'lasting' | 'hq' | 'agent';

const OF_FAILURES: Readonly<Record<LinkFailure, WayVerdict>> = {
  refused: 'passing',
  dns: 'passing',
  timeout: 'passing',
  unreachable: 'passing',
  closed: 'passing',
  proxy: 'passing',
  tls: 'lasting',
  redirect: 'lasting',
  protocol: 'lasting',
  unauthorized: 'lasting',
  other_hq: 'lasting',
  upgrade_blocked: 'lasting',
  token_file: 'agent',
  budget: 'agent',
  moved: 'agent',
  // With HQ's own words, which say more.
  rejected: 'hq',
};

const OF_REFUSALS: Readonly<Record<WireErrorCode, WayVerdict>> = {
  // Of an HQ that another way may not lead to: the addresses need not be those of one HQ.
  unsupported_version: 'lasting',
  unauthorized: 'lasting',
  other_hq: 'lasting',
  rate_limited: 'hq',
  unavailable: 'hq',
  internal: 'hq',
  duplicate_agent: 'agent',
  forked_epoch: 'agent',
  bad_request: 'agent',
  hello_required: 'agent',
  unknown_schema: 'agent',
  bad_frame: 'agent',
  too_large: 'agent',
  too_many_series: 'agent',
};

export function verdictOn({ kind, wire }: Pick<LinkError, 'kind' | 'wire'>): WayVerdict {
  return wire === null ? OF_FAILURES[kind] : OF_REFUSALS[wire.code];
}
