/**
 * LMDB's file format, read in plain JavaScript: enough to tell whether a file can be opened without risk, and to get
 * records out of one that cannot. Nothing here trusts a number of the file; the worst input gives fewer records.
 *
 * Format (lmdb.h, data version 2 with 24-byte page headers, little-endian, as lmdb-js 3.5 writes it):
 * page header u64 page number · u64 transaction · u16 pad · u16 flags · u16 lower · u16 upper (overflow: u64 page count
 * at 16 is
 *              split differently, see OVERFLOW_PAGES)
 * meta (pages 0 and 1, after the header) u32 magic · u32 version · u64 address · u64 map size · 2 × tree (free list,
 * main) ·
 *              u64 last page · u64 transaction · u64 boot id
 * tree u32 page size (first tree) · u16 flags · u16 depth · u64 branch, leaf, overflow pages · u64 entries · u64 root
 * node u16 low, u16 high (size of the value) · u16 flags · u16 key size · key · value, or u64 page with BIG_DATA
 */
import { fstatSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER_BYTES = 24;
const META_END = PAGE_HEADER_BYTES + 144;
const TREE = { free: PAGE_HEADER_BYTES + 24, main: PAGE_HEADER_BYTES + 72 } as const;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

export const PAGE_FLAG = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
const INTEGER_KEY = 0x08;
const NODE_BIG_DATA = 0x01;
const NODE_HEADER_BYTES = 8;

export type Meta = {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly freeRoot: number | null;
  readonly mainRoot: number | null;
  /** Levels of the tree. */
  readonly freeDepth: number;
  readonly mainDepth: number;
};

export type MetaCheck =
  | { readonly kind: 'absent' }
  | { readonly kind: 'good'; readonly meta: Meta }
  | {
      readonly kind: 'suspect';
      readonly detail: string;
      /** A meta page is gone, and with it, maybe, the last commit. Else only the size is odd. */
      readonly certain: boolean;
      /** The better one of those that can be read, if any. */
      readonly meta: Meta | null;
    };

/** Looks at both meta pages and at the size of the file. */
export function checkMetaPages(fd: number): MetaCheck {
  const size = fstatSync(fd).size;
  if (size === 0) return { kind: 'absent' };
  const first = readMeta(fd, 0);
  const second = readMeta(fd, first?.pageSize ?? 4096);
  const best = [first, second]
    .filter((meta) => meta !== null)
    .sort((a, b) => (a.transaction < b.transaction ? 1 : -1))[0];
  if (best === undefined)
    return { kind: 'suspect', detail: 'both meta pages are damaged', certain: true, meta: null };
  if (first === null || second === null) {
    return {
      kind: 'suspect',
      detail: `meta page ${first === null ? 0 : 1} is damaged`,
      certain: true,
      meta: best,
    };
  }
  const needed = (best.lastPage + 1) * best.pageSize;
  if (needed > size) {
    return {
      kind: 'suspect',
      detail: `file has ${size} bytes, its last page ends at ${needed}`,
      certain: false,
      meta: best,
    };
  }
  return { kind: 'good', meta: best };
}

function readMeta(fd: number, offset: number): Meta | null {
  const page = readAt(fd, offset, META_END);
  if (page === null || (page.readUInt16LE(18) & PAGE_FLAG.meta) === 0) return null;
  if (page.readUInt32LE(24) !== MAGIC || (page.readUInt32LE(28) & 0xffff) !== DATA_VERSION) return null;
  const pageSize = page.readUInt32LE(TREE.free);
  const lastPage = Number(page.readBigUInt64LE(PAGE_HEADER_BYTES + 120));
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return null;
  if (!Number.isSafeInteger(lastPage) || lastPage < 1) return null;
  // They say how keys are ordered; alongside that of the free list stand flags of the whole file.
  if ((page.readUInt16LE(TREE.free + 4) & INTEGER_KEY) === 0 || page.readUInt16LE(TREE.main + 4) !== 0)
    return null;
  const roots = [TREE.free, TREE.main].map((tree) => page.readBigUInt64LE(tree + 40));
  if (roots.some((root) => root !== NO_PAGE && root > BigInt(lastPage))) return null;
  const [freeRoot = null, mainRoot = null] = roots.map((root) => (root === NO_PAGE ? null : Number(root)));
  return {
    pageSize,
    lastPage,
    transaction: page.readBigUInt64LE(PAGE_HEADER_BYTES + 128),
    freeRoot,
    mainRoot,
    freeDepth: page.readUInt16LE(TREE.free + 6),
    mainDepth: page.readUInt16LE(TREE.main + 6),
  };
}

export function readAt(fd: number, offset: number, length: number): Buffer | null {
  const buffer = Buffer.allocUnsafe(length);
  try {
    return readSync(fd, buffer, 0, length, offset) === length ? buffer : null;
  } catch {
    return null;
  }
}

export type PageHeader = { readonly page: number; readonly transaction: bigint; readonly flags: number };

/** Null when the page does not carry its own number. */
export function readPageHeader(page: Buffer, number: number): PageHeader | null {
  if (page.readBigUInt64LE(0) !== BigInt(number)) return null;
  return { page: number, transaction: page.readBigUInt64LE(8), flags: page.readUInt16LE(18) };
}

/** Number of pages of a large value; the header's last four bytes on its first page. */
export function overflowPages(page: Buffer): number {
  return page.readUInt32LE(20);
}

export type LeafNode = {
  readonly key: Buffer;
  readonly size: number;
  /** The value itself, or the page where it starts. */
  readonly value: Buffer | number;
};

/** Nodes of a leaf page; those that reach beyond the page are left out and counted. */
export function readLeaf(page: Buffer): { nodes: LeafNode[]; broken: number } {
  const nodes: LeafNode[] = [];
  let broken = 0;
  for (const offset of nodeOffsets(page)) {
    const keySize = page.readUInt16LE(offset + 6);
    const size = page.readUInt16LE(offset) + page.readUInt16LE(offset + 2) * 65_536;
    const keyStart = offset + NODE_HEADER_BYTES;
    const valueStart = keyStart + keySize;
    const big = (page.readUInt16LE(offset + 4) & NODE_BIG_DATA) !== 0;
    if (valueStart + (big ? 8 : size) > page.length) {
      broken += 1;
      continue;
    }
    const key = page.subarray(keyStart, valueStart);
    const value = big
      ? Number(page.readBigUInt64LE(valueStart))
      : page.subarray(valueStart, valueStart + size);
    nodes.push({ key, size, value });
  }
  return { nodes, broken };
}

/** Child pages of a branch page. */
export function readBranch(page: Buffer): number[] {
  return nodeOffsets(page).map(
    (offset) =>
      page.readUInt16LE(offset) +
      page.readUInt16LE(offset + 2) * 65_536 +
      page.readUInt16LE(offset + 4) * 2 ** 32,
  );
}

function nodeOffsets(page: Buffer): number[] {
  const count = Math.min(page.readUInt16LE(20), page.length - PAGE_HEADER_BYTES) >>> 1;
  const offsets: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const slot = PAGE_HEADER_BYTES + index * 2;
    const offset = PAGE_HEADER_BYTES + page.readUInt16LE(slot);
    if (offset + NODE_HEADER_BYTES <= page.length) offsets.push(offset);
  }
  return offsets;
}
