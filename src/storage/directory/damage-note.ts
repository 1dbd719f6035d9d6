/**
 * What became of a data file, kept alongside it until it was told: a process can end between the moment in which a file
 * was moved aside, or a new one begun, and that in which somebody hears of it. Then nothing in the new file says so.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Damage } from '../storage.ts';
import { writeDurably } from './data-directory.ts';

export const DAMAGE_FILE = 'damage.json';

const noteSchema = z.object({
  damage: z
    .array(
      z.object({
        what: z.enum(['file', 'missing']),
        detail: z.string(),
        quarantine: z.string().nullable(),
      }),
    )
    .min(1),
});

/** Of as many events; older ones give way. */
const MAX_NOTED = 10;

/** To be called before the file of which it speaks changes. A disk that cannot be written keeps no note. */
export function noteDamage(directory: string, damage: Damage): void {
  const known = notedDamage(directory);
  if (known.some((one) => isSame(one, damage))) return;
  const noted = [...known, damage].slice(-MAX_NOTED).map(({ key: _key, ...one }) => one);
  try {
    writeDurably(directory, DAMAGE_FILE, { damage: noted });
  } catch {
    // It is told now; only a process that ends before that leaves it untold.
  }
}

export function isSame(a: Damage, b: Damage): boolean {
  return a.what === b.what && a.detail === b.detail && a.quarantine === b.quarantine;
}

/** Empty: nothing is left to be told. */
export function notedDamage(directory: string): readonly Damage[] {
  try {
    const { damage } = noteSchema.parse(JSON.parse(readFileSync(join(directory, DAMAGE_FILE), 'utf8')));
    return damage.map((one) => ({ ...one, key: null }));
  } catch {
    return [];
  }
}

/** Somebody has heard of it, and has committed since. */
export function forgetDamage(directory: string): void {
  try {
    rmSync(join(directory, DAMAGE_FILE), { force: true });
  } catch {
    // It is told once more.
  }
}
