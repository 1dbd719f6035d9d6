/** What HQ has heard of epochs and has not written down. */
import type { Epoch } from '../../protocol/sample.ts';

/** Highest seqs heard of, ahead of what the records say. */
export function createHints() {
  const byAgent = new Map<string, Map<Epoch, number>>();
  const of = (agent: string, epoch: Epoch): number => byAgent.get(agent)?.get(epoch) ?? 0;
  return {
    of,
    forget: (agent: string) => void byAgent.delete(agent),
    raise: (agent: string, epoch: Epoch, sampled: number) => {
      if (sampled <= of(agent, epoch)) return;
      const epochs = byAgent.get(agent);
      if (epochs === undefined) byAgent.set(agent, new Map([[epoch, sampled]]));
      else epochs.set(epoch, sampled);
    },
  };
}
