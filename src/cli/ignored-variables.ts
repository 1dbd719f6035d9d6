/** What is said of variables that are no settings of ours, though they are named like some. */
import type { Logger } from '../platform/logger.ts';
import type { Effective } from '../settings/load.ts';

const WHOSE = 'variables of a Kubernetes Service or a Docker link are no settings and are ignored';
type Ignored = Pick<Effective<unknown>, 'ignored'>;

/** One line in the log, where there are any. */
export function logIgnored({ ignored }: Ignored, logger: Pick<Logger, 'info'>): void {
  if (ignored.length > 0) logger.info({ event: 'variables_ignored', variables: ignored }, WHOSE);
}

/** The same for a command that keeps no log. */
export function tellIgnored({ ignored }: Ignored): void {
  if (ignored.length > 0) process.stderr.write(`holdfast: ${WHOSE}: ${ignored.join(', ')}\n`);
}
