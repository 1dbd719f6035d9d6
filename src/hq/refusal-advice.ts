/** What to do about who is not let in, by why. */
import type { RefusalReason } from '../protocol/api.ts';
import type { WireErrorCode } from '../protocol/events.ts';

export const ADVICE: Readonly<Record<RefusalReason, string>> = {
  token: 'give it the token of HQ: HOLDFAST_AGENT_TOKEN or --token-file',
  host: 'add the name that it uses to allowedHosts of HQ, or set tokens',
  origin: 'a web page of another site tries, under a name that is not in allowedHosts of HQ',
  duplicate_agent: 'two agents have this id: give each its own (--id), and a cloned disk --new-epoch once',
  forked_epoch: 'it begins a new epoch by itself; where it does not, start it once with --new-epoch',
  other_hq: 'send it to its own HQ, or start it once with --new-epoch: what is pending then comes here',
  unsupported_version: 'update the older of the two, agent or HQ',
  bad_request: 'its hello is not as docs/protocol.md has it: update the agent, or mend the program',
  rate_limited: 'it comes too often, or begins a new journal each time: see that its data directory lasts',
  registry_full: 'retire agents that are gone (DELETE /api/v1/agents/ID), or raise limits.maxAgents',
};

/** Codes that a hello is refused with for the agent's sake; others speak of HQ's own trouble. */
const OF_AGENTS = [
  'duplicate_agent',
  'forked_epoch',
  'other_hq',
  'unsupported_version',
  'bad_request',
  'rate_limited',
] as const satisfies readonly (WireErrorCode & RefusalReason)[];

/** Null: HQ takes no agent just now. */
export function reasonOf(code: WireErrorCode): RefusalReason | null {
  return OF_AGENTS.find((one) => one === code) ?? null;
}

/** HQ logs these by themselves, with more to say. */
const TOLD_APART: ReadonlySet<RefusalReason> = new Set(['duplicate_agent', 'forked_epoch', 'registry_full']);
export const isToldApart = (reason: RefusalReason): boolean => TOLD_APART.has(reason);
