/** Durations and sizes as people write them: `90s`, `1h30m`, `64KiB`, `4G`. */

const DURATIONS: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
]);
/** A letter alone counts by 1024, as it does for systemd, Docker and `ls -h`. */
const SIZES: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ...['k', 'm', 'g', 't'].flatMap((letter, index): [string, number][] => {
    const binary = 1024 ** (index + 1);
    return [
      [letter, binary],
      [`${letter}i`, binary],
      [`${letter}ib`, binary],
      [`${letter}b`, 1000 ** (index + 1)],
    ];
  }),
]);

export const DURATION_FORMS = 'ms, s, m, h, d, as in 500ms or 1h30m';
export const SIZE_FORMS = 'KiB, MiB, GiB, TiB; KB, MB, GB, TB; K, M, G, T for KiB and so on';

/** Milliseconds of `500ms`, `10s`, `1h30m`; null when it is no duration. A number without a unit is none. */
export function readDuration(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gi)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.trim()) return null;
  let sum = 0;
  let before = Number.POSITIVE_INFINITY;
  for (const [, count, unit] of parts) {
    const factor = DURATIONS.get(unit?.toLowerCase() ?? '');
    // The larger unit comes first: 30m1h is a slip.
    if (factor === undefined || factor >= before) return null;
    sum += Number(count) * factor;
    before = factor;
  }
  return exact(sum);
}

/** Bytes of `64KiB`, `2GB`, `4G`; null when it is no size. A number without a unit is none. */
export function readSize(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  const factor = SIZES.get(match?.[2]?.toLowerCase() ?? '');
  return match === null || factor === undefined ? null : exact(Number(match[1]) * factor);
}

/** Without what binary fractions add: 0.3 · 1000 is 300. */
function exact(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
