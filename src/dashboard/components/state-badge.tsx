import type { AgentSummary } from '../../protocol/api.ts';
import { BreakerIcon, StateIcon } from './icons.tsx';

const STATE_HINTS: Readonly<Record<AgentSummary['state'], string>> = {
  starting: 'the agent is starting',
  live: 'every sample arrives as it is taken',
  'catching-up': 'connected; older samples are still on their way',
  offline: 'no link that carries; the agent keeps its samples in its journal',
  degraded: 'the agent runs, but something of it does not work as it should',
  stopping: 'the agent is stopping',
  refused: 'HQ refuses its hello; the agent keeps its samples in its journal',
  reporting: 'delivers by HTTP, at its usual pace',
  late: 'delivers by HTTP; the next delivery is overdue',
  silent: 'delivers by HTTP; it has missed several deliveries',
  unknown: 'not heard of since HQ started',
};

/** How an agent is: shape, colour and word. */
export function StateBadge({ state }: { readonly state: AgentSummary['state'] }) {
  return (
    <span className={`badge state-${state}`} title={STATE_HINTS[state]}>
      <StateIcon state={state} />
      {state}
    </span>
  );
}

const BREAKER_TONES = { closed: 'quiet', open: 'bad', 'half-open': 'warn', unknown: 'quiet' } as const;
const BREAKER_HINTS: Readonly<Record<AgentSummary['breaker'], string>> = {
  closed: 'closed: the agent sends',
  open: 'open: after repeated failures the agent waits before it tries again',
  'half-open': 'half-open: the agent probes whether the link works again',
  unknown: 'the agent has not said',
};

/** The agent's circuit breaker. */
export function BreakerBadge({ breaker }: { readonly breaker: AgentSummary['breaker'] }) {
  return (
    <span className={`badge tone-${BREAKER_TONES[breaker]}`} title={BREAKER_HINTS[breaker]}>
      <BreakerIcon breaker={breaker} />
      {breaker}
    </span>
  );
}
