/** Settings of `holdfast demo`. */
import type { Command } from 'commander';
import { leavesOf } from '../../settings/leaves.ts';
import { type Effective, loadSettings } from '../../settings/load.ts';
import { type DemoConfig, demoConfigSchema } from './demo-config.ts';
import { givenSettings } from './flags.ts';
import { foreignVariables } from './foreign-variables.ts';

export const DEMO_LEAVES = leavesOf(demoConfigSchema);

export async function loadDemoConfig(command: Command): Promise<Effective<DemoConfig>> {
  return loadSettings({
    schema: demoConfigSchema,
    ...givenSettings(command, DEMO_LEAVES),
    environment: process.env,
    foreignEnvironment: await foreignVariables(process.env, DEMO_LEAVES),
    check: () => [],
  });
}
