/** A whole HQ for tests. */
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../tests/support/temporary.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { type LogFields, type Logger, silentLogger } from '../../platform/logger.ts';
import { seededRandom } from '../../platform/random.ts';
import { hqConfigSchema } from '../config.ts';
import { type RunningHq, startHq } from '../main.ts';

/** What matters of a log line. */
export type Line = { readonly level: string; readonly event: unknown };

/** A logger that keeps its lines. */
export function recorder(lines: Line[]): Logger {
  const at = (level: string) => (fields: LogFields) => void lines.push({ level, event: fields.event });
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
    missing: silentLogger.missing,
  };
  return logger;
}

/** HQ as it is started for people, on a free port; it ends with the test. */
export async function start(
  settings: Record<string, unknown> = {},
  lines: Line[] = [],
  clock = createSystemClock(),
): Promise<RunningHq> {
  const config = hqConfigSchema.parse({ port: 0, dataDir: temporaryFolder(), ...settings });
  const hq = await startHq(config, {
    clock,
    ids: systemIds,
    random: seededRandom(1),
    logger: recorder(lines),
  });
  onTestFinished(() => hq.stop());
  return hq;
}
