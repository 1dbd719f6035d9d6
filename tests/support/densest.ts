/** The most of these times that lie within one second, as a share of all. Times in ms. */
export function densest(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  sorted.forEach((time, index) => {
    while ((sorted[first] ?? time) < time - 1_000) first += 1;
    most = Math.max(most, index - first + 1);
  });
  return most / times.length;
}
