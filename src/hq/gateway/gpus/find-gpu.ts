/** The GPU that a path names: by its uuid, or by its index where that names one alone. */
import { Problem } from '../../http/problem.ts';
import type { MeasuredGpu } from './gpu-catalogue.ts';

/** What names a GPU in a path. */
export const gpuKey = ({ uuid, index }: Pick<MeasuredGpu, 'uuid' | 'index'>): string => uuid ?? index ?? '';

/** Candidates of one answer at most. */
const MAX_CANDIDATES = 100;

/**
 * All that one agent measures of the GPU, by source. Throws a Problem: `not_found`, or `ambiguous` with the candidates.
 * `agent`: only its GPUs.
 */
export function findGpu(
  all: readonly MeasuredGpu[],
  wanted: string,
  agent: string | undefined,
): readonly MeasuredGpu[] {
  const within = agent === undefined ? all : all.filter((one) => one.agent === agent);
  const byUuid = within.filter(({ uuid }) => uuid === wanted);
  const found = byUuid.length > 0 ? byUuid : within.filter(({ index }) => index === wanted);
  const [first] = found;
  if (first === undefined) {
    const whose = agent === undefined ? '' : ` of agent "${agent}"`;
    throw new Problem(
      'not_found',
      `HQ knows no GPU "${wanted}"${whose}; GET /api/v1/gpus lists those it knows`,
    );
  }
  const candidates = new Map(
    found.map((one) => [JSON.stringify([gpuKey(one), one.host, one.agent]), candidateOf(one)]),
  );
  if (candidates.size === 1) return found;
  const several = [...candidates.values()].slice(0, MAX_CANDIDATES);
  const advice = several.every(({ gpu }) => gpu === several[0]?.gpu)
    ? 'say which agent measures it, with `agent`'
    : 'take the uuid of one, or say which agent measures it, with `agent`';
  throw new Problem('ambiguous', `"${wanted}" names ${candidates.size} GPUs: ${advice}`, {
    candidates: several,
  });
}

function candidateOf(one: MeasuredGpu) {
  const { agent, index, host } = one;
  return { gpu: gpuKey(one), agent, index, host };
}
