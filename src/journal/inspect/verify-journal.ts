/** Reads every record of a data directory, an agent's or HQ's, and says whether all of it holds. Changes nothing. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { defer, map, type Observable } from 'rxjs';
import type { SeqRange } from '../../protocol/coverage.ts';
import { decodeData, decodeDownsampled } from '../../protocol/frame-codec.ts';
import { MAX_SEQ } from '../../protocol/sample.ts';
import { isDirectoryInUse } from '../../storage/directory/directory-lock.ts';
import { DATA_FILE } from '../../storage/lmdb/lmdb-environment.ts';
import { checkMetaPages } from '../../storage/lmdb/lmdb-file.ts';
import { missingFile, openLmdbReader } from '../../storage/lmdb/lmdb-reader.ts';
import { type ProbeFailure, type WalkReport, walkFile } from '../../storage/lmdb/probe.ts';
import type { Reader } from '../../storage/storage.ts';
import { listFrames, readFrame, readGap } from '../editor.ts';
import type { FrameKey } from '../keys.ts';
import { surveyJournal } from '../recovery/recovery.ts';

export type JournalVerification = {
  readonly epoch: string;
  readonly frames: number;
  /** First and last seq of frames that cannot be read or decoded. */
  readonly damagedFrames: readonly SeqRange[];
  /** Seqs that neither a frame nor HQ's ack accounts for. */
  readonly holes: readonly SeqRange[];
  /** Whether `sampled = acked + pending + Σ dropped`, counted again from the frames. */
  readonly exact: boolean;
};

export type VerifyReport = {
  readonly directory: string;
  readonly running: boolean;
  readonly ok: boolean;
  readonly records: number;
  readonly damagedRecords: number;
  /** What is wrong with the file itself; null when nothing is. */
  readonly fileProblem: string | null;
  /** Null in a directory that is not an agent's, and when the file cannot be opened. */
  readonly journal: JournalVerification | null;
};

/** Long enough for any file; verifying is asked for by a person who can stop it. */
const VERIFY_BUDGET_MS = 3_600_000;

/** Emits one report and completes; errors with StorageError where there is nothing to verify. */
export function verifyJournal(directory: string): Observable<VerifyReport> {
  return defer(() => {
    if (!existsSync(join(directory, DATA_FILE))) throw missingFile(directory);
    const running = isDirectoryInUse(directory);
    // The file may end its reader: a child goes first.
    return walkFile({ path: join(directory, DATA_FILE), budgetMs: VERIFY_BUDGET_MS, live: running }).pipe(
      map((walk) => report(directory, running, walk)),
    );
  });
}

function report(directory: string, running: boolean, walk: WalkReport | ProbeFailure): VerifyReport {
  const base = { directory, running, records: 0, damagedRecords: 0 };
  if (walk.kind === 'failed' || walk.brokenPages > 0) {
    const detail = walk.kind === 'failed' ? walk.detail : `broken pages: ${walk.detail}`;
    return { ...base, ok: false, fileProblem: explain(directory, detail), journal: null };
  }
  const { records, damagedRecords } = walk;
  const journal = verifyFrames(directory);
  const sound =
    journal === null || (journal.exact && journal.holes.length === 0 && journal.damagedFrames.length === 0);
  return { ...base, records, damagedRecords, fileProblem: null, journal, ok: sound && damagedRecords === 0 };
}

/** Where the meta pages already tell what is wrong, that says more than how a reader ended. */
function explain(directory: string, detail: string): string {
  const fd = openSync(join(directory, DATA_FILE), 'r');
  try {
    const check = checkMetaPages(fd);
    if (check.kind === 'absent') return 'the file is empty';
    return check.kind === 'suspect' ? check.detail : detail;
  } finally {
    closeSync(fd);
  }
}

const CHUNK_FRAMES = 64;

function verifyFrames(directory: string): JournalVerification | null {
  const reader = openLmdbReader(directory);
  try {
    const { ledger, healthy, holes } = reader.read(surveyJournal);
    if (ledger === null) return null;
    const damagedFrames: SeqRange[] = [];
    let frames = 0;
    for (let first = 0; ; ) {
      const keys = reader.read((one) => {
        const chunk = listFrames(one, { first, last: MAX_SEQ, limit: CHUNK_FRAMES });
        for (const key of chunk) {
          if (!isSound(one, key)) damagedFrames.push([key.firstSeq, key.lastSeq]);
        }
        return chunk;
      });
      frames += keys.length;
      const last = keys.at(-1);
      if (last === undefined || keys.length < CHUNK_FRAMES) break;
      first = last.lastSeq + 1;
    }
    return { epoch: ledger.epoch, frames, damagedFrames, holes, exact: healthy };
  } finally {
    reader.close();
  }
}

function isSound(reader: Reader, key: FrameKey): boolean {
  if (key.kind === 'gap') return readGap(reader, key) !== null;
  const frame = readFrame(reader, key);
  if (frame === null) return false;
  try {
    const decode = key.kind === 'thinned' ? decodeDownsampled : decodeData;
    const { header } = decode(frame.bytes, { columns: () => 'none' });
    return header.firstSeq === key.firstSeq && header.firstSeq + header.count - 1 === key.lastSeq;
  } catch {
    return false;
  }
}
