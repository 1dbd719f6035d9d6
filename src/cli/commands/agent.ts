import type { Command } from 'commander';
import type { AgentConfig } from '../../agent/config.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import { systemIds } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import { systemRandom } from '../../platform/random.ts';
import { logIgnored } from '../ignored-variables.ts';
import { AGENT_LEAVES, loadAgentConfig } from '../settings/agent-settings.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { runUntilStopped } from '../signals.ts';

/** `holdfast agent` */
export function defineAgentCommand(command: Command): void {
  addSettingOptions(command, AGENT_LEAVES);
  // No setting: in a file or the environment it would begin again at each start.
  command.option(
    '--new-epoch',
    'give a cloned disk its own life: what is pending is kept and delivered under a new epoch; what it has delivered before stays in the ledger of the old one',
  );
  command.action(async () => {
    const effective = await loadAgentConfig(command);
    let { config } = effective;
    let place: Partial<AgentConfig> = {};
    logIgnored(effective, createLogger({ level: config.logLevel, fields: { component: 'agent' } }));
    const { startAgent } = await import('../../agent/main.ts');
    process.exitCode = await runUntilStopped(async (isAgain) => {
      if (isAgain) config = { ...(await readAgain(command, config)), ...place };
      const agent = await startAgent(
        config,
        {
          clock: createSystemClock(),
          random: systemRandom,
          ids: systemIds,
          environment: process.env,
          logger: createLogger({ level: config.logLevel, fields: { component: 'agent', agent: config.id } }),
        },
        { newEpoch: command.opts().newEpoch === true },
      );
      // It starts again where it was.
      place = { dataDir: agent.dataDir, sharedDataDir: false };
      return agent;
    });
  });
}

/**
 * What changed since the start counts from now on; with a mistake in it, an agent that could sample goes on as it was.
 */
async function readAgain(command: Command, before: AgentConfig): Promise<AgentConfig> {
  try {
    return (await loadAgentConfig(command)).config;
  } catch (error) {
    process.stderr.write(
      `holdfast: the settings cannot be used, the agent goes on with those it had: ${errorText(error)}\n`,
    );
    return before;
  }
}
