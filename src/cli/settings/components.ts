/** The components that have settings, and how each loads its own. */
import type { Command } from 'commander';
import { type AgentConfig, agentConfigSchema, checkAgentConfig } from '../../agent/config.ts';
import { PRESETS } from '../../agent/presets.ts';
import { checkHqConfig, type HqConfig, hqConfigSchema } from '../../hq/config.ts';
import { demoConfigSchema } from './demo-config.ts';
import { givenSettings } from './flags.ts';
import { type Leaf, leavesOf } from './leaves.ts';
import { type Effective, loadSettings } from './load.ts';

export const AGENT_LEAVES = leavesOf(agentConfigSchema);
export const HQ_LEAVES = leavesOf(hqConfigSchema);
export const DEMO_LEAVES = leavesOf(demoConfigSchema);

/** Variables that one of the components or the command itself knows; in the environment of another they are no mistake. */
export const KNOWN_VARIABLES: ReadonlySet<string> = new Set([
  'HOLDFAST_CONFIG',
  ...[AGENT_LEAVES, HQ_LEAVES, DEMO_LEAVES].flatMap((leaves: readonly Leaf[]) =>
    leaves.map((leaf) => leaf.env),
  ),
]);

export function loadAgentConfig(command: Command): Effective<AgentConfig> {
  return loadSettings({
    schema: agentConfigSchema,
    ...givenSettings(command, AGENT_LEAVES),
    environment: process.env,
    presets: PRESETS,
    foreignEnvironment: KNOWN_VARIABLES,
    check: checkAgentConfig,
  });
}

export function loadHqConfig(command: Command): Effective<HqConfig> {
  return loadSettings({
    schema: hqConfigSchema,
    ...givenSettings(command, HQ_LEAVES),
    environment: process.env,
    foreignEnvironment: KNOWN_VARIABLES,
    check: checkHqConfig,
  });
}
