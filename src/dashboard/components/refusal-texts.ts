import type { RefusalReason } from '../../protocol/api.ts';

/** Why somebody is not let in, for people. */
export const REFUSAL_TEXTS: Readonly<Record<RefusalReason, string>> = {
  token: 'no token, or a wrong one',
  host: 'a name that is not in allowedHosts',
  origin: 'a page of another site',
  duplicate_agent: 'another agent has its id',
  forked_epoch: 'its journal is a copy, was rolled back or was damaged',
  other_hq: 'it has delivered to another HQ',
  unsupported_version: 'it speaks another version',
  bad_request: 'its hello cannot be understood',
  rate_limited: 'it comes too often',
  registry_full: 'HQ knows as many agents as it takes',
};
