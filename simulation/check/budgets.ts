/** No agent takes more of its line in a day than its data budget says; a world is shorter than a day. */
import type { SimAgent } from '../world/sim-agent.ts';
import type { Violations } from './violations.ts';

/** What is under way when the budget ends: a second's, and what a start that was cut off had not written down. */
const SLACK_BYTES = 4_000;

export function checkBudgets({
  agents,
  violations,
}: {
  readonly agents: readonly SimAgent[];
  readonly violations: Violations;
}): void {
  for (const { id, settings, wire } of agents) {
    const { maxBytesPerDay } = settings.config.uplink;
    const bytes = wire.bytes();
    if (maxBytesPerDay > 0 && bytes > maxBytesPerDay + SLACK_BYTES)
      violations.report('over_budget', `${id}: ${bytes} bytes over its line, ${maxBytesPerDay} a day`);
  }
}
