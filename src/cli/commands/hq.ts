import type { Command } from 'commander';
import { startHq } from '../../hq/main.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import { systemRandom } from '../../platform/random.ts';
import { HQ_LEAVES, loadHqConfig } from '../settings/components.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { runUntilStopped } from '../signals.ts';

/** `holdfast hq`: prints `{"event":"listening","url":…}` as its first line. */
export function addHqCommand(program: Command): void {
  const command = program.command('hq').description('receive, store, show and forward what agents send');
  addSettingOptions(command, HQ_LEAVES).action(async () => {
    const { config } = loadHqConfig(command);
    process.exitCode = await runUntilStopped(async () => {
      const running = await startHq(config, {
        clock: createSystemClock(),
        random: systemRandom,
        ids: systemIds,
        logger: createLogger({ level: config.logLevel, fields: { component: 'hq' } }),
      });
      process.stdout.write(`${JSON.stringify({ event: 'listening', url: running.url })}\n`);
      return running;
    });
  });
}
