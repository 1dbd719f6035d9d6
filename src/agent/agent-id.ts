/** The name of an agent that was given none. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Ids } from '../platform/ids.ts';
import { agentIdSchema } from '../protocol/sample.ts';

/** Host names that name no host: every other machine has them too. */
const NAMELESS = /^(localhost|localhost\.localdomain|raspberrypi|ubuntu|debian|node|host)$/i;
/** Docker names the host of a container after the container: a new one has a new name. */
const OF_CONTAINER = /^[0-9a-f]{12}$/;
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv'];
const ID_FILE = 'agent-id';

/** The host's name, as far as it says which host this is. */
export function lastingHostName(
  name: string = hostname(),
  isContainer: boolean = CONTAINER_MARKS.some((mark) => existsSync(mark)),
): string {
  return isContainer && OF_CONTAINER.test(name) ? '' : name;
}

/** A host name as an agent's name, or null when it is of no use as one. */
export function agentIdFromHost(hostname: string): string | null {
  const cleaned = hostname
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return NAMELESS.test(cleaned) || !agentIdSchema.safeParse(cleaned).success ? null : cleaned;
}

/**
 * The host's name, else a random one that stays with the data directory where it can be written. Throws what the file
 * system throws.
 */
export function defaultAgentId(options: {
  readonly hostname: string;
  /** Exists already. */
  readonly dataDir: string;
  readonly ids: Ids;
  /** Whether a new name can be kept; if not it holds for this run alone. */
  readonly isWritable: boolean;
}): string {
  const named = agentIdFromHost(options.hostname);
  if (named !== null) return named;
  const file = join(options.dataDir, ID_FILE);
  const kept = agentIdSchema.safeParse(readIfThere(file)?.trim());
  if (kept.success) return kept.data;
  const id = `agent-${options.ids.hex(4)}`;
  if (options.isWritable) writeFileSync(file, `${id}\n`, { mode: 0o600 });
  return id;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
