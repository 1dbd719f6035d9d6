/**
 * Who is not let in: agents and programs that deliver without a token that counts. They try again and again, so one log
 * line opens an episode, which is shown to operators for as long as it goes on.
 *
 * Bounds: `MAX_EPISODES` at a time, of which the one that has been silent longest gives way; `LINES` log lines at once
 * and one each `LINE_EACH_S` after them, whatever addresses a stranger may use.
 */
import type { Clock } from '../platform/clock.ts';
import type { Emit } from '../platform/telemetry.ts';
import type { Refusal } from '../protocol/api.ts';
import { createTokenLevel } from '../streams/token-level.ts';
import type { refusalEvents } from './refusal-events.ts';

type Refused = Pick<Refusal, 'address' | 'reason' | 'over'>;

export type Refusals = {
  readonly note: (refused: Refused) => void;
  /** Episodes that go on, the latest refusal first. */
  readonly list: () => readonly Refusal[];
};

/** An agent tries at least once a minute; after so long without a try its episode is over, ms. */
export const EPISODE_ENDS_MS = 180_000;
export const MAX_EPISODES = 256;
const ADVICE: Readonly<Record<Refusal['reason'], string>> = {
  token: 'give it the token of HQ: HOLDFAST_AGENT_TOKEN or --token-file',
  host: 'add the name that it uses to allowedHosts of HQ, or set tokens',
  origin: 'a web page of another site tries, under a name that is not in allowedHosts of HQ',
};
const LINES = 10;
const LINE_EACH_S = 6;

export function createRefusals(
  clock: Pick<Clock, 'now' | 'precise'>,
  emit: Emit<typeof refusalEvents>,
): Refusals {
  /** In the order of the latest refusal. */
  const episodes = new Map<string, Refusal & { readonly heardAt: number }>();
  const lines = createTokenLevel({ capacity: LINES, refillPerSecond: 1 / LINE_EACH_S });
  let untold = 0;

  const forget = (nowMs: number) => {
    for (const [key, { heardAt }] of episodes) {
      if (nowMs - heardAt < EPISODE_ENDS_MS) break;
      episodes.delete(key);
    }
  };
  const tell = (refused: Refused) => {
    if (lines.tryTake(1, clock.precise()) > 0) untold += 1;
    else {
      emit({ type: 'agent_refused', ...refused, advice: ADVICE[refused.reason], untold });
      untold = 0;
    }
  };

  return {
    note: (refused) => {
      const now = clock.precise();
      const ts = clock.now();
      forget(now);
      const key = `${refused.over} ${refused.reason} ${refused.address}`;
      const before = episodes.get(key);
      episodes.delete(key);
      const [oldest] = episodes.keys();
      if (oldest !== undefined && episodes.size >= MAX_EPISODES) episodes.delete(oldest);
      const { since, attempts } = before ?? { since: ts, attempts: 0 };
      const { address, reason, over } = refused;
      episodes.set(key, { address, reason, over, since, last: ts, attempts: attempts + 1, heardAt: now });
      if (before === undefined) tell({ address, reason, over });
    },
    list: () => {
      forget(clock.precise());
      return [...episodes.values()].map(({ heardAt: _, ...refusal }) => refusal).reverse();
    },
  };
}
