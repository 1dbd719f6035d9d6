import type { Command } from 'commander';
import { startAgent } from '../../agent/main.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import { systemRandom } from '../../platform/random.ts';
import { AGENT_LEAVES, loadAgentConfig } from '../settings/components.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { runUntilStopped } from '../signals.ts';

/** `holdfast agent` */
export function addAgentCommand(program: Command): void {
  const command = program.command('agent').description('sample, journal and deliver from this machine');
  addSettingOptions(command, AGENT_LEAVES).action(async () => {
    const { config } = loadAgentConfig(command);
    process.exitCode = await runUntilStopped(() =>
      startAgent(config, {
        clock: createSystemClock(),
        random: systemRandom,
        ids: systemIds,
        logger: createLogger({ level: config.logLevel, fields: { component: 'agent', agent: config.id } }),
      }),
    );
  });
}
