/** Settings of `holdfast hq`. */
import type { Command } from 'commander';
import { checkHqConfig, type HqConfig, hqConfigSchema } from '../../hq/config.ts';
import { withTokensOfFiles } from '../../hq/token-files.ts';
import { leavesOf } from '../../settings/leaves.ts';
import { type Effective, loadSettings } from '../../settings/load.ts';
import { givenSettings } from './flags.ts';
import { foreignVariables } from './foreign-variables.ts';

export const HQ_LEAVES = leavesOf(hqConfigSchema);

export async function loadHqConfig(command: Command): Promise<Effective<HqConfig>> {
  return loadSettings({
    schema: hqConfigSchema,
    ...givenSettings(command, HQ_LEAVES),
    environment: process.env,
    foreignEnvironment: await foreignVariables(process.env, HQ_LEAVES),
    check: checkWithTokens,
  });
}

function checkWithTokens(config: HqConfig): readonly string[] {
  const read = withTokensOfFiles(config);
  return [...read.problems, ...checkHqConfig(read.config)];
}
