/** The marker alongside a data file that is open: how the last opens ended, and whether the file can be trusted. */
import { clearInUse, type InUse, writeInUse } from '../directory/data-directory.ts';
import { type DiskReserve, withReserve } from '../directory/disk-reserve.ts';
import { isDiskFull } from '../disk-full.ts';
import { StorageError } from '../storage.ts';

export type InUseMark = {
  readonly value: () => InUse;
  /** A read failed. */
  readonly suspect: () => void;
  /** The process outlived a commit, successful or not. */
  readonly noteCommit: () => void;
  readonly clear: () => void;
};

export function createInUseMark(
  directory: string,
  { fruitless: opens, ...opened }: Omit<InUse, 'suspect'>,
): InUseMark {
  let suspect = false;
  let fruitless = opens;
  const value = () => ({ ...opened, suspect, fruitless });
  const update = () => tryTo(() => writeInUse(directory, value()));
  return {
    value,
    suspect: () => {
      if (suspect) return;
      suspect = true;
      update();
    },
    noteCommit: () => {
      if (fruitless === 0) return;
      fruitless = 0;
      update();
    },
    clear: () => tryTo(() => clearInUse(directory)),
  };
}

/**
 * A disk so full that not even the marker can be written must not keep it from being opened: that is how room is made.
 */
export function markOpened(directory: string, reserve: DiskReserve, inUse: InUse): void {
  try {
    withReserve(directory, reserve, () => writeInUse(directory, inUse));
  } catch (error) {
    if (!(error instanceof StorageError) || !isDiskFull(error.cause, directory)) throw error;
  }
}

/** What cannot be done does no harm, and there is nobody to tell. */
function tryTo(work: () => void): void {
  try {
    work();
  } catch {}
}
