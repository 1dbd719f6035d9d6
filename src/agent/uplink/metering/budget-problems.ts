import { isTimeZone } from './calendar.ts';
import { windowProblems } from './windows.ts';

/** Below this the hello of each hour would take all of it. */
export const LEAST_BUDGET_BYTES = 100_000;

/** A sentence for each setting of the data budget that cannot be used. */
export function budgetProblems(uplink: {
  readonly maxBytesPerDay: number;
  readonly maxBytesPerMonth: number;
  readonly budgetZone: string;
  readonly windows: readonly string[];
}): string[] {
  const { maxBytesPerDay, maxBytesPerMonth, budgetZone, windows } = uplink;
  const problems: string[] = [];
  for (const [name, limit] of Object.entries({ maxBytesPerDay, maxBytesPerMonth }))
    if (limit > 0 && limit < LEAST_BUDGET_BYTES)
      problems.push(
        `uplink.${name} (${limit}) must be 0, for no limit, or at least ${LEAST_BUDGET_BYTES}, or saying hello takes all of it.`,
      );
  if (maxBytesPerMonth > 0 && maxBytesPerDay > maxBytesPerMonth)
    problems.push(
      `uplink.maxBytesPerDay (${maxBytesPerDay}) must not exceed uplink.maxBytesPerMonth (${maxBytesPerMonth}).`,
    );
  if (!isTimeZone(budgetZone))
    problems.push(
      `uplink.budgetZone (${budgetZone}) is no time zone that this machine knows; it takes names such as UTC or Europe/Vienna.`,
    );
  return [...problems, ...windowProblems(windows)];
}
