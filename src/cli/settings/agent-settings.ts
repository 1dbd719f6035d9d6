/** Settings of `holdfast agent`. */
import type { Command } from 'commander';
import { type AgentConfig, agentConfigSchema, checkAgentConfig } from '../../agent/config.ts';
import { PRESETS } from '../../agent/presets.ts';
import { configuredWays } from '../../agent/uplink/ways/configured-ways.ts';
import { proxyProblems } from '../../agent/uplink/ways/proxy-problems.ts';
import { leavesOf } from '../../settings/leaves.ts';
import { type Effective, loadSettings } from '../../settings/load.ts';
import { givenSettings } from './flags.ts';
import { foreignVariables } from './foreign-variables.ts';

export const AGENT_LEAVES = leavesOf(agentConfigSchema);

export async function loadAgentConfig(command: Command): Promise<Effective<AgentConfig>> {
  return loadSettings({
    schema: agentConfigSchema,
    ...givenSettings(command, AGENT_LEAVES),
    environment: process.env,
    presets: PRESETS,
    foreignEnvironment: await foreignVariables(process.env, AGENT_LEAVES),
    check: (config) => [...checkAgentConfig(config), ...proxyProblems(configuredWays(config), process.env)],
  });
}
