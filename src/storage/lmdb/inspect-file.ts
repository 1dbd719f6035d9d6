/**
 * Decides, before LMDB maps the data file, whether it can be trusted; if not, finds out in a child process and moves a
 * broken file aside. A damaged file can end a process by SIGBUS or SIGSEGV, which no try/catch stops.
 *
 * Every file is looked at for a moment, which is all of a small one: pages can go bad while nobody has it open.
 * Suspect, and looked through to its end, is a file whose meta pages or size do not fit, one that was not closed
 * cleanly on an earlier boot (pages may have been lost), one on which a read failed, one that was not closed cleanly
 * twice in a row, and one whose user ended before its first commit (the file itself may be what ends the process). When
 * that goes on although nothing was found, the file is salvaged all the same. After a mere kill nothing is suspect:
 * LMDB's synchronous commits survive that.
 *
 * A file with which nothing was found wrong, and of which every record could be copied, is replaced by its copy, and
 * nothing is told: nothing was lost.
 */
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { concatMap, defer, map, type Observable, of } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import { noteDamage } from '../directory/damage-note.ts';
import { type InUse, quarantine, syncDirectory } from '../directory/data-directory.ts';
import { missingData } from '../directory/missing-data.ts';
import type { Damage } from '../storage.ts';
import { checkFile } from './lmdb-check.ts';
import { DATA_FILE } from './lmdb-environment.ts';
import { checkMetaPages } from './lmdb-file.ts';
import { type SalvageReport, salvageFile, walkFile } from './probe.ts';

export type Inspection = {
  /** What was found and what became of it. */
  readonly damage: readonly Damage[];
  /** For the in-use marker of this open. */
  readonly uncleanEnds: number;
  readonly fruitless: number;
};

export type InspectionRequest = {
  readonly directory: string;
  readonly before: InUse | null;
  readonly bootId: string;
  readonly now: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** How long the walk may take, ms; then what was seen has to do. */
  readonly budgetMs: number;
};

type Suspicion = {
  readonly detail: string;
  /** Damage is certain: no need to look further. */
  readonly certain: boolean;
};

const MAX_UNCLEAN_ENDS = 1;
const MAX_FRUITLESS = 1;
/** Spent on each start; some 50 MB. */
const GLANCE_MS = 100;
const EMPTIED = 'the file is empty, although it had been used; nothing salvaged';
const SALVAGED = 'salvaged-';
/** Salvaging copies the file; allow for slow disks. */
const SALVAGE_DEADLINE_MS = 900_000;

export function inspectFile(request: InspectionRequest): Observable<Inspection> {
  return defer(() => {
    const path = join(request.directory, DATA_FILE);
    const uncleanEnds = request.before === null ? 0 : request.before.uncleanEnds + 1;
    const fruitless = request.before?.fruitless ?? 0;
    const missing = existsSync(path) ? null : missingData(request.directory, DATA_FILE, request.before);
    if (missing !== null) {
      const gone: Damage = { what: 'missing', key: null, detail: missing, quarantine: null };
      noteDamage(request.directory, gone);
      return of({ damage: [gone], uncleanEnds: 0, fruitless: 0 });
    }
    if (wasEmptied(path, request.before)) {
      const emptied: Damage = { what: 'file', key: null, detail: EMPTIED, quarantine: null };
      noteDamage(request.directory, emptied);
      return of({ damage: [emptied], uncleanEnds: 0, fruitless });
    }
    const suspicion = findSuspicion(path, request, uncleanEnds);
    if (suspicion === null) return of({ damage: [], uncleanEnds, fruitless });
    if (suspicion.certain) return salvageDataFile(request, suspicion.detail);
    return walkFile({ path, budgetMs: request.budgetMs, live: false }).pipe(
      concatMap((walk) => {
        if (walk.kind === 'walked' && walk.brokenPages === 0) {
          const sound: Inspection = { damage: [], uncleanEnds: 0, fruitless };
          if (fruitless <= MAX_FRUITLESS) return of(sound);
          const reason = `${fruitless} times in a row its user ended before the first commit`;
          // Nothing is known to be wrong with it, so it stays when it cannot be copied, as on a full disk.
          return salvageDataFile(request, reason, sound);
        }
        const reason = walk.kind === 'walked' ? `${walk.brokenPages} broken pages` : walk.detail;
        return salvageDataFile(request, `${suspicion.detail}; ${reason}`);
      }),
    );
  });
}

/**
 * LMDB writes its first pages as soon as it has created the file: only a process that ended in between leaves an empty
 * one, with a marker that says that it had not committed yet.
 */
function wasEmptied(path: string, before: InUse | null): boolean {
  const isEmpty = statSync(path, { throwIfNoEntry: false })?.size === 0;
  return isEmpty && (before === null || before.fruitless === 0);
}

function findSuspicion(
  path: string,
  { before, bootId, clock }: InspectionRequest,
  uncleanEnds: number,
): Suspicion | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const check = checkMetaPages(fd);
    if (check.kind === 'absent') return null;
    if (check.kind === 'suspect') return check;
    const glanceEnd = clock.precise() + GLANCE_MS;
    const glance = checkFile(fd, () => clock.precise() > glanceEnd);
    if (glance.brokenPages > 0) return { detail: 'a page is not what it should be', certain: true };
  } finally {
    closeSync(fd);
  }
  const detail = before === null ? null : findDoubt(before, bootId, uncleanEnds);
  return detail === null ? null : { detail, certain: false };
}

function findDoubt(before: InUse, bootId: string, uncleanEnds: number): string | null {
  if (before.suspect) return 'a read failed while it was in use';
  if (before.bootId !== bootId) return 'not closed cleanly before the machine restarted';
  if (before.fruitless > 0) return 'not closed cleanly before the first commit';
  if (uncleanEnds > MAX_UNCLEAN_ENDS) return `not closed cleanly ${uncleanEnds} times in a row`;
  return null;
}

/**
 * Puts what can be saved of the data file in its place, and the file aside unless all could be. Until that is done it
 * stays where it is: a process that ends on the way finds it again and begins again.
 */
export function salvageDataFile(
  { directory, now }: Pick<InspectionRequest, 'directory' | 'now'>,
  reason: string,
  /** What to answer when all or nothing could be salvaged of a file with which nothing was found wrong. */
  sound: Inspection | null = null,
): Observable<Inspection> {
  return defer(() => {
    const path = join(directory, DATA_FILE);
    removeSalvaged(directory);
    // A name of its own each time: a salvage whose parent has died may still be writing.
    const target = join(directory, `${SALVAGED}${now}.mdb`);
    return salvageFile({ path, target, reason, deadlineMs: SALVAGE_DEADLINE_MS }).pipe(
      map((salvage): Inspection => {
        if (salvage.kind === 'failed' && sound !== null) {
          removeSalvaged(directory);
          return sound;
        }
        const isComplete = sound !== null && salvage.kind === 'salvaged' && salvage.complete;
        // Nobody needs a sound file of which there is a copy: a rename replaces it.
        const moved = isComplete ? null : quarantine(directory, DATA_FILE, now);
        const outcome =
          salvage.kind === 'salvaged' ? describe(salvage) : `nothing salvaged: ${salvage.detail}`;
        const detail = `${reason}; ${outcome}`;
        const damage: readonly Damage[] = isComplete
          ? []
          : [{ what: 'file', key: null, detail, quarantine: moved }];
        for (const one of damage) noteDamage(directory, one);
        // Before the file is in its place: afterwards nobody would look for what was left.
        for (const file of [path, target]) rmSync(`${file}-lock`, { force: true });
        if (salvage.kind === 'salvaged') renameSync(target, path);
        else rmSync(path, { force: true });
        removeSalvaged(directory);
        syncDirectory(directory);
        return { damage, uncleanEnds: 0, fruitless: 0 };
      }),
    );
  });
}

function describe(salvage: SalvageReport): string {
  return `${salvage.records} records salvaged, ${salvage.damagedRecords} damaged ones and ${salvage.brokenPages} broken pages left out`;
}

/** What unfinished salvages have left, and LMDB's lock files alongside it. */
function removeSalvaged(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(SALVAGED)) rmSync(join(directory, name), { force: true });
  }
}
