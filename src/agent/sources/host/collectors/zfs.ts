import type { HostAccess } from '../collector.ts';

export const ARC_STATS = '/proc/spl/kstat/zfs/arcstats';

/** Seldom loaded while the machine runs, and most machines have none. */
const LOOK_AGAIN_MS = 60_000;

/** Bytes of the cache of ZFS, which the kernel counts as used. */
export type Arc = {
  readonly size: number;
  /** It gives memory back down to this. */
  readonly least: number;
  readonly most: number;
};

/** The cache of ZFS now; null on a machine without ZFS, which is looked at once a minute. */
export function createArcReader({ files, precise }: HostAccess): () => Arc | null {
  let absentAt: number | null = null;
  return () => {
    if (absentAt !== null && precise() - absentAt < LOOK_AGAIN_MS) return null;
    const text = files.readOptional(ARC_STATS);
    absentAt = text === null ? precise() : null;
    if (text === null) return null;
    // Lines of a name, a type and a number.
    const number = (name: string) =>
      Number(new RegExp(`^${name}\\s+\\d+\\s+(\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return { size: number('size'), least: number('c_min'), most: number('c_max') };
  };
}
