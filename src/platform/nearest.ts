/**
 * The valid name that a mistyped or shortened one most likely meant; null when none is close: more than a third of it
 * and more than two letters, or more than half of it, differ.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const begun = onlyBegunBy(name, candidates);
  if (begun !== null) return begun;
  let best: string | null = null;
  let bestDistance = Math.min(Math.max(2, Math.floor(name.length / 3)), Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Three letters may say which is meant. */
const LEAST_BEGINNING = 3;

/** Null when several begin so: which is meant cannot be known. */
function onlyBegunBy(name: string, candidates: readonly string[]): string | null {
  if (name.length < LEAST_BEGINNING) return null;
  const [first, ...more] = candidates.filter((one) => one.toLowerCase().startsWith(name.toLowerCase()));
  return more.length > 0 ? null : (first ?? null);
}

/** Letters to put in, leave out, replace or swap with the next one: optimal string alignment, row by row. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : substituted;
      next.push(Math.min(substituted, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
