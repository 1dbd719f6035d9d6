/**
 * What is longer than it may be and is still to be taken apart. These lists only shrink: an entry goes together with
 * what it stands for, and none is added.
 */

/** Functions of more than 80 lines, by file. */
export const LONG_FUNCTIONS: Readonly<Record<string, number>> = {
  'marble-tests/agent/frame-sender.test.ts': 1,
  'marble-tests/agent/metering-rig.ts': 1,
  'marble-tests/agent/uplink-rig.ts': 1,
  'marble-tests/agent/virtual-link.ts': 1,
  'src/agent/pipeline/commit.ts': 3,
  'src/agent/sources/csv/plain-rows.ts': 1,
  'src/agent/sources/csv/replay.ts': 2,
  'src/agent/sources/csv/rows.ts': 1,
  'src/journal/editor.ts': 1,
  'src/journal/journal.contract.ts': 1,
  'src/journal/journal.ts': 1,
  'src/storage/commit-queue.ts': 1,
  'src/storage/lmdb/lmdb-storage.ts': 1,
  'src/storage/storage.contract.ts': 1,
};
/** Files of more than 400 lines. */
export const LONG_FILES: readonly string[] = [
  'marble-tests/agent/metering.test.ts',
  'marble-tests/hq/fleet.test.ts',
  'src/agent/uplink/link-estimate.ts',
  'src/agent/uplink/logic.test.ts',
  'src/journal/journal.contract.ts',
  'src/journal/journal.test.ts',
];
/** Lines of comments of more than 120 characters, by file. */
export const LONG_COMMENTS: Readonly<Record<string, number>> = {};
