import { type Command, Option } from 'commander';
import { z } from 'zod';
import { REBUILDS } from '../../hq/store/rebuild-parts.ts';
import { createSystemClock } from '../../platform/clock.ts';
import type { Ending } from '../../platform/ending.ts';
import { systemIds } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import { systemRandom } from '../../platform/random.ts';
import { logIgnored } from '../ignored-variables.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { HQ_LEAVES, loadHqConfig } from '../settings/hq-settings.ts';
import { runUntilStopped } from '../signals.ts';

const startSchema = z.object({ rebuild: z.array(z.enum(REBUILDS)).default([]) });

/** `holdfast hq`: prints `{"event":"listening","url":…}` as its first line. */
export function defineHqCommand(command: Command): void {
  addSettingOptions(command, HQ_LEAVES)
    // No setting: one that stays in a file would do it again at each start.
    .addOption(
      new Option(
        '--rebuild <part...>',
        'count and list again what HQ holds, from its frames, before it listens; for once',
      ).choices(REBUILDS),
    )
    .action(async () => {
      const effective = await loadHqConfig(command);
      const { config } = effective;
      const logger = createLogger({ level: config.logLevel, fields: { component: 'hq' } });
      logIgnored(effective, logger);
      const { startHq } = await import('../../hq/main.ts');
      process.exitCode = await runUntilStopped(async () => {
        const platform = { clock: createSystemClock(), random: systemRandom, ids: systemIds, logger };
        const running = await startHq(config, platform, startSchema.parse(command.opts()));
        process.stdout.write(`${JSON.stringify({ event: 'listening', url: running.url })}\n`);
        const ending = running.failed.then((error): Ending => ({ kind: 'failed', error }));
        return { ...running, ending };
      });
    });
}
