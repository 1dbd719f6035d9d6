/** What HQ keeps of each agent beside its samples stays within its bounds. */
import type { HqConfig } from '../../src/hq/config.ts';
import { agentOfEpisode } from '../../src/hq/store/keys.ts';
import { keyBytes } from '../../src/storage/key-text.ts';

/** Which bounds are exceeded, for people; none: all hold. */
export function overBounds(
  records: Iterable<string>,
  { maxAnomalies }: Pick<HqConfig['limits'], 'maxAnomalies'>,
): readonly string[] {
  const episodes = new Map<string, number>();
  for (const text of records) {
    if (!text.startsWith('N')) continue;
    const agent = agentOfEpisode(keyBytes(text));
    episodes.set(agent, (episodes.get(agent) ?? 0) + 1);
  }
  return [...episodes]
    .filter(([, count]) => count > maxAnomalies)
    .map(([agent, count]) => `${agent} has ${count} anomaly episodes, and may have ${maxAnomalies}`);
}
