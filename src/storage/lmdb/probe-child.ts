/**
 * A process of its own for reading a file that may end its reader. Takes one ProbeRequest as JSON argument, prints one
 * report as JSON on standard output; an end without one means that the file cannot be trusted.
 */
import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { createSystemClock } from '../../platform/clock.ts';
import { errorText } from '../../platform/error-text.ts';
import { leaveNow } from '../../platform/leave.ts';
import { openValue, sealValue } from '../checked-record.ts';
import { isDiskFull } from '../disk-full.ts';
import { checkFile } from './lmdb-check.ts';
import { openLmdb, ownKey } from './lmdb-environment.ts';
import { checkMetaPages } from './lmdb-file.ts';
import { type SalvageCounts, salvageRecords } from './lmdb-salvage.ts';
import type { CopyReport, SalvageReport, WalkReport } from './probe.ts';
import { type ProbeRequest, SALVAGE_RECORD } from './probe-request.ts';

type WalkRequest = Extract<ProbeRequest, { kind: 'walk' }>;

const MAX_BATCH_RECORDS = 2000;
const MAX_BATCH_BYTES = 8 * 2 ** 20;
const WALK_CHUNK = 1000;

/** First the structure by our own means, which nothing can crash; then every record by LMDB's. */
function walk({ path, budgetMs, live }: WalkRequest): WalkReport {
  const clock = createSystemClock();
  const lateAt = clock.precise() + budgetMs;
  const isLate = () => clock.precise() > lateAt;
  const { brokenPages, complete } = live ? { brokenPages: 0, complete: true } : checkStructure(path, isLate);
  const report = {
    kind: 'walked',
    records: 0,
    damagedRecords: 0,
    brokenPages,
    complete,
    detail: '',
  } as const;
  if (brokenPages > 0) return { ...report, detail: 'pages of the tree are not what they should be' };
  const records = walkRecords(path, isLate);
  return { ...report, ...records, complete: complete && records.complete };
}

function checkStructure(path: string, isLate: () => boolean) {
  const fd = openSync(path, 'r');
  try {
    return checkFile(fd, isLate);
  } finally {
    closeSync(fd);
  }
}

function walkRecords(path: string, isLate: () => boolean) {
  const db = openLmdb(path, true);
  const counts = { records: 0, damagedRecords: 0, brokenPages: 0, detail: '' };
  for (let start: Buffer = Buffer.from([0]); ; ) {
    if (isLate()) return { ...counts, complete: false };
    let last: Buffer | null = null;
    try {
      for (const key of db.getKeys({ start, limit: WALK_CHUNK })) {
        last = key;
        counts.records += 1;
        const stored = db.getBinary(key);
        if (stored === undefined || openValue(key, stored) === undefined) counts.damagedRecords += 1;
      }
    } catch (error) {
      return { ...counts, brokenPages: 1, detail: String(error), complete: true };
    }
    if (last === null) return { ...counts, complete: true };
    start = Buffer.concat([last, Buffer.from([0])]);
  }
}

/** Ends this process at the next pause of its work once nobody waits for it any more. */
function endWithParent(): void {
  process.stdin.on('end', () => leaveNow(1)).resume();
  process.stdin.unref();
}

async function copy(path: string, target: string): Promise<CopyReport> {
  endWithParent();
  const db = openLmdb(path, true);
  try {
    // With its free pages: a copy without them has pages of large values that do not fit those that name them.
    await db.backup(target, false);
    const fd = openSync(target, 'r+');
    fsyncSync(fd);
    const bytes = fstatSync(fd).size;
    closeSync(fd);
    return { kind: 'copied', bytes, problem: null };
  } catch (error) {
    const isFull = isDiskFull(error, dirname(target));
    return { kind: 'copied', bytes: 0, problem: isFull ? 'the disk is full' : errorText(error) };
  } finally {
    await db.close();
  }
}

async function salvage(path: string, target: string, reason: string): Promise<SalvageReport> {
  endWithParent();
  const counts: SalvageCounts = { records: 0, damagedRecords: 0, brokenPages: 0 };
  const fd = openSync(path, 'r');
  const hasMeta = checkMetaPages(fd).kind === 'good';
  const db = openLmdb(target, false);
  let batch: (readonly [Buffer, Buffer])[] = [];
  let bytes = 0;
  const flush = async () => {
    const records = batch;
    [batch, bytes] = [[], 0];
    await db.batch(() => {
      for (const [key, stored] of records) void db.put(key, stored);
    });
  };
  for (const { key, stored } of salvageRecords(fd, counts)) {
    batch.push([key, stored]);
    bytes += stored.length;
    if (batch.length >= MAX_BATCH_RECORDS || bytes >= MAX_BATCH_BYTES) await flush();
  }
  const complete = hasMeta && counts.damagedRecords === 0 && counts.brokenPages === 0;
  if (!complete) {
    const key = ownKey(SALVAGE_RECORD);
    batch.push([key, sealValue(key, Buffer.from(`salvaged: ${reason}`))]);
  }
  await flush();
  await db.close();
  closeSync(fd);
  return { kind: 'salvaged', ...counts, complete };
}

// From probe.ts alone: a schema's library would take longer to load than most files to walk.
const request = JSON.parse(process.argv[2] ?? '') as ProbeRequest;
async function answer(): Promise<object> {
  switch (request.kind) {
    case 'walk':
      return walk(request);
    case 'copy':
      return copy(request.path, request.target);
    case 'salvage':
      return salvage(request.path, request.target, request.reason);
  }
}
writeSync(1, JSON.stringify(await answer()));
