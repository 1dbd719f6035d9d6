/** Every kind of source that there is. To add one: its folder, and its line here. */
import { csvSource } from './csv/csv.ts';
import { gpuSource } from './gpu/gpu.ts';
import { hostSource } from './host/host.ts';
import { simSource } from './sim/sim.ts';

export const SOURCES = {
  host: hostSource,
  sim: simSource,
  csv: csvSource,
  gpu: gpuSource,
};
