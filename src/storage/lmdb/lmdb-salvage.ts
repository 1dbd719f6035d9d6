/**
 * Gets records out of a damaged LMDB file without LMDB.
 *
 * 1. From the root that the newer good meta page names, or, when there is none, from the newest page that no other
 *   newest
 *    page points to, the tree is walked: what it reaches is exactly what was committed.
 * 2. Only where a page of the tree is broken, all pages of the file are looked through for leaves that the walk missed
 *   and
 *    that the free list does not name. Such a leaf may be an old one; of one key the newest value wins, but a record
 *    that had been removed can come back. Owners of a storage cope with that: their records are idempotent.
 *
 * A record counts only when its own checksum (over key and value) holds.
 */
import { fstatSync } from 'node:fs';
import { openValue } from '../checked-record.ts';
import { keyText } from '../key-text.ts';
import {
  checkMetaPages,
  type LeafNode,
  type Meta,
  overflowPages,
  PAGE_FLAG,
  readAt,
  readBranch,
  readLeaf,
  readPageHeader,
} from './lmdb-file.ts';

export type RawRecord = { readonly key: Buffer; readonly stored: Buffer };

export type SalvageCounts = { records: number; damagedRecords: number; brokenPages: number };

const DEFAULT_PAGE_SIZE = 4096;
const PAGE_HEADER_BYTES = 24;

/** Yields every record found, keys as LMDB has them (with the storage's prefix); fills `counts`. */
export function* salvageRecords(fd: number, counts: SalvageCounts): Generator<RawRecord> {
  const check = checkMetaPages(fd);
  const meta = check.kind === 'absent' ? null : check.meta;
  const pageSize = meta?.pageSize ?? DEFAULT_PAGE_SIZE;
  const file: PageFile = { fd, pageSize, pages: Math.ceil(fstatSync(fd).size / pageSize) };
  const roots = meta === null ? guessRoots(file) : meta.mainRoot === null ? [] : [meta.mainRoot];
  const visited = new Set<number>();
  const found = new Set<string>();
  for (const root of roots) {
    for (const leaf of walkTree(file, root, visited, counts)) {
      for (const record of recordsOf(file, leaf, counts)) {
        found.add(keyText(record.key));
        counts.records += 1;
        yield record;
      }
    }
  }
  if (counts.brokenPages === 0 && (meta !== null || found.size > 0)) return;
  for (const record of scanForLost(file, meta, visited, found)) {
    counts.records += 1;
    yield record;
  }
}

type PageFile = { readonly fd: number; readonly pageSize: number; readonly pages: number };

function readPage(file: PageFile, page: number): Buffer | null {
  return page < 2 || page >= file.pages ? null : readAt(file.fd, page * file.pageSize, file.pageSize);
}

function* walkTree(
  file: PageFile,
  root: number,
  visited: Set<number>,
  counts: { brokenPages: number },
): Generator<Buffer> {
  const todo = [root];
  for (let number = todo.pop(); number !== undefined; number = todo.pop()) {
    if (visited.has(number)) continue;
    visited.add(number);
    const page = readPage(file, number);
    const flags = page === null ? 0 : (readPageHeader(page, number)?.flags ?? 0);
    if (page !== null && (flags & PAGE_FLAG.leaf) !== 0) yield page;
    else if (page !== null && (flags & PAGE_FLAG.branch) !== 0) todo.push(...readBranch(page).reverse());
    else counts.brokenPages += 1;
  }
}

function* recordsOf(file: PageFile, leaf: Buffer, counts: { damagedRecords: number }): Generator<RawRecord> {
  const { nodes, broken } = readLeaf(leaf);
  counts.damagedRecords += broken;
  for (const node of nodes) {
    const stored = storedOf(file, node);
    if (stored !== null && openValue(node.key, stored) !== undefined) yield { key: node.key, stored };
    else counts.damagedRecords += 1;
  }
}

function storedOf(file: PageFile, { value, size }: LeafNode): Buffer | null {
  if (typeof value !== 'number') return value;
  const start = value * file.pageSize + PAGE_HEADER_BYTES;
  if (!Number.isSafeInteger(start) || start + size > file.pages * file.pageSize) return null;
  return readAt(file.fd, start, size);
}

/** Both meta pages are gone: every commit rewrites the path from the root, so the root is among the newest pages. */
function guessRoots(file: PageFile): number[] {
  let newest = 0n;
  let candidates: { number: number; page: Buffer; branch: boolean }[] = [];
  for (const { number, page, flags, transaction } of treePages(file)) {
    if (transaction > newest) {
      newest = transaction;
      candidates = [];
    }
    if (transaction === newest) candidates.push({ number, page, branch: (flags & PAGE_FLAG.branch) !== 0 });
  }
  const children = new Set(candidates.flatMap(({ page, branch }) => (branch ? readBranch(page) : [])));
  const roots = candidates.filter(({ number }) => !children.has(number)).map(({ number }) => number);
  return roots.filter((root) => holdsRecords(file, root));
}

/** Tells the tree of records from that of the free list. */
function holdsRecords(file: PageFile, root: number): boolean {
  for (const leaf of walkTree(file, root, new Set(), { brokenPages: 0 })) {
    for (const _ of recordsOf(file, leaf, { damagedRecords: 0 })) return true;
  }
  return false;
}

type TreePage = {
  readonly number: number;
  readonly page: Buffer;
  readonly flags: number;
  readonly transaction: bigint;
};

/** Every page of the file that looks like one of a tree; pages of large values are skipped. */
function* treePages(file: PageFile): Generator<TreePage> {
  for (let number = 2; number < file.pages; number += 1) {
    const page = readPage(file, number);
    const header = page === null ? null : readPageHeader(page, number);
    if (page === null || header === null) continue;
    const { flags, transaction } = header;
    if (flags === PAGE_FLAG.leaf || flags === PAGE_FLAG.branch) yield { number, page, flags, transaction };
    else if ((flags & PAGE_FLAG.overflow) !== 0) number += Math.max(0, overflowPages(page) - 1);
  }
}

function* scanForLost(
  file: PageFile,
  meta: Meta | null,
  visited: ReadonlySet<number>,
  found: ReadonlySet<string>,
): Generator<RawRecord> {
  const free = meta === null ? new Set<number>() : freePages(file, meta);
  const newest = new Map<string, { record: RawRecord; transaction: bigint }>();
  for (const { number, page, flags, transaction } of treePages(file)) {
    if (flags !== PAGE_FLAG.leaf || visited.has(number) || free.has(number)) continue;
    if (meta !== null && transaction > meta.transaction) continue;
    for (const record of recordsOf(file, page, { damagedRecords: 0 })) {
      const text = keyText(record.key);
      const known = newest.get(text);
      if (!found.has(text) && (known === undefined || known.transaction < transaction)) {
        newest.set(text, {
          record: { key: Buffer.from(record.key), stored: Buffer.from(record.stored) },
          transaction,
        });
      }
    }
  }
  for (const { record } of newest.values()) yield record;
}

/** Pages that the free list names; what cannot be read of it is left out. */
function freePages(file: PageFile, meta: Meta): Set<number> {
  const free = new Set<number>();
  if (meta.freeRoot === null) return free;
  for (const leaf of walkTree(file, meta.freeRoot, new Set(), { brokenPages: 0 })) {
    for (const node of readLeaf(leaf).nodes) {
      const list = storedOf(file, node);
      if (list !== null) addFreeList(list, free, meta.lastPage);
    }
  }
  return free;
}

/** A count, then page numbers; a negative number is the length of a run that starts at the next one, 0 is a hole. */
function addFreeList(list: Buffer, free: Set<number>, lastPage: number): void {
  const words = Math.floor(list.length / 8);
  const at = (index: number) => Number(list.readBigInt64LE(index * 8));
  const count = words === 0 ? 0 : Math.min(at(0), words - 1);
  for (let index = 1; index <= count; index += 1) {
    const entry = at(index);
    const run = entry < 0 ? -entry : 1;
    if (entry < 0) index += 1;
    const first = entry < 0 && index <= count ? at(index) : entry;
    if (first <= 0 || run > lastPage) continue;
    for (let page = first; page < first + run && page <= lastPage; page += 1) free.add(page);
  }
}
