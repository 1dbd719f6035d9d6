/**
 * Whether LMDB can read and write a file without stumbling, found out without LMDB: plain JavaScript that no file can
 * crash.
 *
 * LMDB trusts its pages: a length or a page number gone bad ends the process, often not before the first write, which
 * is when the list of free pages is used. So every field that LMDB follows is held against what it must be:
 * - page headers: own number, exact kind, a transaction that has been committed, bounds within the page;
 * - nodes: within the page, not on top of each other, keys ascending over the whole tree, all leaves equally deep;
 * - every page has one use: in one of the two trees, part of one large value, or free.
 * What the values hold is not looked at, they have checksums of their own.
 */
import { fstatSync } from 'node:fs';
import { checkMetaPages, type Meta, PAGE_FLAG, readAt } from './lmdb-file.ts';

export type FileCheck = {
  readonly brokenPages: number;
  /** False when it was asked to stop before the end; nothing had been found until then. */
  readonly complete: boolean;
};

const HEADER = 24;
const NODE_HEADER = 8;
const BIG_DATA = 0x01;
/** In place of a large value: its first page, the transaction that wrote it, how many pages. */
const BIG_DATA_BYTES = 24;
/** LMDB's cursors hold no more levels. */
const MAX_DEPTH = 32;
const MAX_KEY_BYTES = 1978;
const PAGES_BETWEEN_LOOKS = 64;
const MAX_BEHIND_END = 65_536;

type Check = {
  readonly fd: number;
  readonly meta: Meta;
  /** In the file. */
  readonly pages: number;
  /** One byte a page: 1 when a use of it has been seen. */
  readonly used: Uint8Array;
  readonly isLate: () => boolean;
  seen: number;
};
type Tree = {
  readonly compare: (a: Buffer, b: Buffer) => number;
  readonly onLeafNode: (node: Node) => void;
  readonly leafDepth: number;
  lastKey: Buffer | null;
};
type TreeRequest = Omit<Tree, 'lastKey'> & { readonly root: number | null };
/** A subtree and the keys that it may hold: from `low` on, below `high`. */
type Subtree = {
  readonly page: number;
  readonly depth: number;
  readonly low: Buffer | null;
  readonly high: Buffer | null;
};
type Node = {
  readonly key: Buffer;
  readonly flags: number;
  /** Bytes of the value; in a branch the lower half of the child's page number. */
  readonly size: number;
  readonly value: Buffer;
};

/** Thrown where the file is found broken; one place is enough to know. */
class BrokenPage extends Error {}
class Late extends Error {}

/** Stops at the first broken page. `isLate` is asked now and then whether to end early. */
export function checkFile(fd: number, isLate: () => boolean): FileCheck {
  const found = checkMetaPages(fd);
  if (found.kind === 'absent') return { brokenPages: 0, complete: true };
  const { meta } = found;
  // Pages that were taken and given back unused can lie behind the end of the file, but not many.
  const pages = meta === null ? 0 : Math.ceil(fstatSync(fd).size / meta.pageSize);
  if (meta === null || (found.kind === 'suspect' && found.certain) || meta.lastPage > pages + MAX_BEHIND_END)
    return { brokenPages: 1, complete: true };
  const check: Check = { fd, meta, pages, used: new Uint8Array(meta.lastPage + 1), isLate, seen: 0 };
  try {
    // The free list first: it is short, and the first to be written.
    checkTree(check, {
      root: meta.freeRoot,
      leafDepth: meta.freeDepth,
      compare: compareNumbers,
      onLeafNode: (node) => checkFreeList(check, node),
    });
    checkTree(check, {
      root: meta.mainRoot,
      leafDepth: meta.mainDepth,
      compare: Buffer.compare,
      onLeafNode: (node) => checkValue(check, node),
    });
    return { brokenPages: 0, complete: true };
  } catch (error) {
    if (error instanceof BrokenPage) return { brokenPages: 1, complete: true };
    if (error instanceof Late) return { brokenPages: 0, complete: false };
    throw error;
  }
}

function checkTree(check: Check, { root, ...rest }: TreeRequest): void {
  must((root === null) === (rest.leafDepth === 0));
  if (root === null) return;
  const tree: Tree = { ...rest, lastKey: null };
  const todo: Subtree[] = [{ page: root, depth: 1, low: null, high: null }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    todo.push(...checkPage(check, tree, next).reverse());
    check.seen += 1;
    if (check.seen % PAGES_BETWEEN_LOOKS === 0 && check.isLate()) throw new Late();
  }
}

/** Returns what is below a branch. */
function checkPage(check: Check, tree: Tree, at: Subtree): Subtree[] {
  must(at.depth <= MAX_DEPTH);
  use(check, at.page, 1);
  const page = readAt(check.fd, at.page * check.meta.pageSize, check.meta.pageSize);
  if (page === null) throw new BrokenPage();
  const flags = checkHeader(check, page, at.page);
  must(flags === PAGE_FLAG.leaf || flags === PAGE_FLAG.branch);
  const nodes = readNodes(page, flags);
  if (flags === PAGE_FLAG.branch) return childrenOf(tree, nodes, at);
  must(tree.leafDepth === at.depth);
  for (const node of nodes) {
    must(node.key.length > 0);
    if (tree.lastKey !== null) must(tree.compare(tree.lastKey, node.key) < 0);
    if (at.low !== null) must(tree.compare(at.low, node.key) <= 0);
    if (at.high !== null) must(tree.compare(node.key, at.high) < 0);
    tree.lastKey = node.key;
    tree.onLeafNode(node);
  }
  return [];
}

/** The first key of a branch is not used and may be empty. */
function childrenOf(tree: Tree, nodes: readonly Node[], at: Subtree): Subtree[] {
  must(nodes.length >= 2);
  return nodes.map((node, index) => {
    const low = index === 0 ? at.low : node.key;
    const high = nodes[index + 1]?.key ?? at.high;
    if (low !== null && high !== null) must(tree.compare(low, high) < 0);
    return { page: node.size + node.flags * 2 ** 32, depth: at.depth + 1, low, high };
  });
}

function checkHeader({ meta }: Check, page: Buffer, number: number): number {
  must(page.readBigUInt64LE(0) === BigInt(number));
  must(page.readBigUInt64LE(8) <= meta.transaction);
  return page.readUInt16LE(18);
}

/** Offsets count from the end of the header; nodes fill the page from `upper` to its end. */
function readNodes(page: Buffer, flags: number): Node[] {
  const room = page.length - HEADER;
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
  must(lower % 2 === 0 && lower >= 2 && lower <= upper && upper <= room);
  const nodes: Node[] = [];
  const places: (readonly [number, number])[] = [];
  for (let slot = 0; slot < lower; slot += 2) {
    const start = page.readUInt16LE(HEADER + slot);
    must(start >= upper && start % 2 === 0 && start + NODE_HEADER <= room);
    const node = readNode(page, HEADER + start, flags);
    places.push([start, NODE_HEADER + node.key.length + node.value.length]);
    nodes.push(node);
  }
  let end = upper;
  for (const [start, length] of places.sort(([a], [b]) => a - b)) {
    must(start === end);
    end = start + length + (length % 2);
  }
  must(end === room);
  return nodes;
}

function readNode(page: Buffer, offset: number, pageFlags: number): Node {
  const size = page.readUInt16LE(offset) + page.readUInt16LE(offset + 2) * 65_536;
  const flags = page.readUInt16LE(offset + 4);
  const valueStart = offset + NODE_HEADER + page.readUInt16LE(offset + 6);
  const isLeaf = pageFlags === PAGE_FLAG.leaf;
  if (isLeaf) must(flags === 0 || flags === BIG_DATA);
  const valueEnd = valueStart + (isLeaf ? (flags === BIG_DATA ? BIG_DATA_BYTES : size) : 0);
  must(valueStart - offset - NODE_HEADER <= MAX_KEY_BYTES && valueEnd <= page.length);
  return {
    key: page.subarray(offset + NODE_HEADER, valueStart),
    flags,
    size,
    value: page.subarray(valueStart, valueEnd),
  };
}

/** A large value lies on pages of its own, of which the first says how many they are. */
function checkValue(check: Check, { flags, size, value }: Node): void {
  if (flags !== BIG_DATA) return;
  const { pageSize } = check.meta;
  const first = pageNumber(check, value.readBigUInt64LE(0));
  const header = readAt(check.fd, first * pageSize, HEADER);
  if (header === null) throw new BrokenPage();
  must(checkHeader(check, header, first) === PAGE_FLAG.overflow);
  const pages = header.readUInt32LE(20);
  must(value.readBigUInt64LE(8) === header.readBigUInt64LE(8));
  must(value.readBigUInt64LE(16) === BigInt(pages));
  must(pages >= Math.floor((HEADER - 1 + size) / pageSize) + 1);
  must(first + pages <= check.pages);
  use(check, first, pages);
}

/**
 * Key: the transaction that freed the pages. Value: a count, then page numbers; a negative number is the length of a
 * run that starts at the next one, 0 is a hole.
 */
function checkFreeList(check: Check, node: Node): void {
  must(node.key.length === 8 && node.key.readBigUInt64LE(0) <= check.meta.transaction);
  checkValue(check, node);
  const list = node.flags === BIG_DATA ? readLarge(check, node) : node.value;
  must(list.length >= 8 && list.length % 8 === 0);
  const count = list.readBigUInt64LE(0);
  must(count <= BigInt(list.length / 8 - 1));
  for (let index = 1; index <= Number(count); index += 1) {
    const entry = list.readBigInt64LE(index * 8);
    if (entry === 0n) continue;
    if (entry > 0n) {
      use(check, pageNumber(check, entry), 1);
      continue;
    }
    index += 1;
    must(index <= Number(count) && -entry <= BigInt(check.meta.lastPage));
    use(check, pageNumber(check, list.readBigInt64LE(index * 8)), Number(-entry));
  }
}

function readLarge({ fd, meta }: Check, { value, size }: Node): Buffer {
  const list = readAt(fd, Number(value.readBigUInt64LE(0)) * meta.pageSize + HEADER, size);
  if (list === null) throw new BrokenPage();
  return list;
}

function pageNumber({ meta }: Check, number: bigint): number {
  must(number >= 2n && number <= BigInt(meta.lastPage));
  return Number(number);
}

function use({ used, meta }: Check, first: number, pages: number): void {
  must(first >= 2 && pages >= 1 && first + pages - 1 <= meta.lastPage);
  for (let page = first; page < first + pages; page += 1) {
    must(used[page] === 0);
    used[page] = 1;
  }
}

function compareNumbers(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) throw new BrokenPage();
  return Number(a.readBigUInt64LE(0) - b.readBigUInt64LE(0));
}

function must(condition: boolean): void {
  if (!condition) throw new BrokenPage();
}
