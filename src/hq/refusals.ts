/**
 * Who is not let in: agents and programs that deliver without a token that counts, and agents whose hello HQ refuses.
 * They try again and again, so one log line opens an episode, which is shown to operators for as long as it goes on.
 *
 * Bounds: `MAX_EPISODES` at a time, of which the one that has been silent longest gives way, `NAMED_PER_ADDRESS` of
 * them with the names of agents at one address; `LINES` log lines at once and one each `LINE_EACH_S` after them,
 * whatever addresses and names a stranger may use.
 */
import type { Clock } from '../platform/clock.ts';
import type { Emit } from '../platform/telemetry.ts';
import type { Refusal } from '../protocol/api.ts';
import { createTokenLevel } from '../streams/token-level.ts';
import { ADVICE, isToldApart } from './refusal-advice.ts';
import type { refusalEvents } from './refusal-events.ts';

type Refused = Pick<Refusal, 'address' | 'reason' | 'over'> & {
  /** Default: it does not say who it is. */
  readonly agent?: Refusal['agent'];
  readonly detail?: Refusal['detail'];
};

export type Refusals = {
  readonly note: (refused: Refused) => void;
  /** HQ has accepted the hello of this agent. */
  readonly letIn: (agent: string) => void;
  /** Episodes that go on, the latest refusal first. */
  readonly list: () => readonly Refusal[];
};

/** Who shows no token that counts tries at least once a minute; after so long without a try its episode is over, ms. */
export const EPISODE_ENDS_MS = 180_000;
/** The same where HQ refuses a hello: with the most patient preset the agent is back after 15 minutes. */
export const HELLO_EPISODE_ENDS_MS = 1_200_000;
export const MAX_EPISODES = 256;
export const NAMED_PER_ADDRESS = 16;
const LONGEST_DETAIL = 500;
const LINES = 10;
const LINE_EACH_S = 6;

type Episode = Refusal & { readonly endsAt: number };

export function createRefusals(
  clock: Pick<Clock, 'now' | 'precise'>,
  emit: Emit<typeof refusalEvents>,
): Refusals {
  /** In the order of the latest refusal. */
  const episodes = new Map<string, Episode>();
  const lines = createTokenLevel({ capacity: LINES, refillPerSecond: 1 / LINE_EACH_S });
  let untold = 0;

  const forget = (isOver: (episode: Episode) => boolean) => {
    for (const [key, episode] of episodes) if (isOver(episode)) episodes.delete(key);
  };
  const tell = ({ address, reason, over, agent }: Refusal) => {
    if (isToldApart(reason)) return;
    if (lines.tryTake(1, clock.precise()) > 0) untold += 1;
    else {
      emit({ type: 'agent_refused', address, reason, over, agent, advice: ADVICE[reason], untold });
      untold = 0;
    }
  };

  return {
    note: (refused) => {
      const { address, reason, over } = refused;
      const at = clock.precise();
      forget(({ endsAt }) => endsAt <= at);
      const key = keyOf(refused, episodes);
      const before = episodes.get(key);
      episodes.delete(key);
      const [oldest] = episodes.keys();
      if (oldest !== undefined && episodes.size >= MAX_EPISODES) episodes.delete(oldest);
      const last = clock.now();
      const isNamed = key === named(refused);
      const episode: Episode = {
        ...{ address, reason, over, last },
        agent: isNamed ? (refused.agent ?? null) : null,
        detail: isNamed ? (refused.detail?.slice(0, LONGEST_DETAIL) ?? null) : null,
        advice: ADVICE[reason],
        since: before?.since ?? last,
        attempts: (before?.attempts ?? 0) + 1,
        endsAt: at + (refused.detail === undefined ? EPISODE_ENDS_MS : HELLO_EPISODE_ENDS_MS),
      };
      episodes.set(key, episode);
      if (before === undefined) tell(episode);
    },
    // One of two agents with an id is in: the other is still refused.
    letIn: (agent) => forget((one) => one.agent === agent && one.reason !== 'duplicate_agent'),
    list: () => {
      const at = clock.precise();
      forget(({ endsAt }) => endsAt <= at);
      return [...episodes.values()].map(({ endsAt: _, ...refusal }) => refusal).reverse();
    },
  };
}

const unnamed = ({ over, reason, address }: Refused): string => `${over} ${reason} ${address}`;
const named = (refused: Refused): string =>
  refused.agent == null ? unnamed(refused) : `${unnamed(refused)} ${refused.agent}`;

/** An address that claims too many names counts as one. */
function keyOf(refused: Refused, episodes: ReadonlyMap<string, Episode>): string {
  const key = named(refused);
  if (refused.agent == null || episodes.has(key)) return key;
  let names = 0;
  for (const { address, agent } of episodes.values())
    if (address === refused.address && agent !== null) names += 1;
  return names < NAMED_PER_ADDRESS ? key : unnamed(refused);
}
