import type { CollectorFactory } from '../collector.ts';
import { connections } from './connections.ts';
import { container } from './container.ts';
import { cpu } from './cpu.ts';
import { disk } from './disk.ts';
import { filesystem } from './filesystem.ts';
import { load } from './load.ts';
import { memory } from './memory.ts';
import { network } from './network.ts';
import { paging } from './paging.ts';
import { pressure } from './pressure.ts';
import { processes } from './processes.ts';
import { temperature } from './temperature.ts';
import { uptime } from './uptime.ts';

/** The collectors of a machine with /proc, in the order of their series. */
export const procCollectors: readonly CollectorFactory[] = [
  cpu,
  load,
  memory,
  paging,
  filesystem,
  disk,
  network,
  connections,
  processes,
  uptime,
  temperature,
  container,
  pressure,
];
