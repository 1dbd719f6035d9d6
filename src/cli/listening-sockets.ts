/** Where a process of this machine listens, as the kernel tells it (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';

/** Addresses such as `127.0.0.1:9100`; empty where it listens nowhere, or may not be looked at. */
export function listeningSockets(pid: number): readonly string[] {
  const inodes = socketsOf(pid);
  return ['tcp', 'tcp6'].flatMap((table) =>
    linesOf(`/proc/${pid}/net/${table}`).flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      return state === LISTENING && inodes.has(inode) ? [reachable(local)] : [];
    }),
  );
}

/** Where the process listens, or else those that it has started: an init listens nowhere itself. */
export function placesBelow(pid: number): readonly string[] {
  const own = listeningSockets(pid);
  if (own.length > 0) return own;
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return others
    .map(Number)
    .filter((one) => parentOf(one) === pid && one !== process.pid)
    .flatMap(listeningSockets);
}

function parentOf(pid: number): number {
  const parent = linesOf(`/proc/${pid}/status`).find((line) => line.startsWith('PPid:'));
  return Number(parent?.slice('PPid:'.length) ?? Number.NaN);
}

/** Inodes of the sockets that the process has open. */
function socketsOf(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  try {
    const targets = readdirSync(folder).map((fd) => targetOf(`${folder}/${fd}`));
    return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
  } catch {
    return new Set();
  }
}

/** Descriptors come and go while they are looked at. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1);
  } catch {
    return [];
  }
}

/** The kernel writes addresses as words of four bytes in the machine's order: little-endian on all that we run on. */
function reachable(local: string): string {
  const [address = '', port = ''] = local.split(':');
  const words = address.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  const isAny = bytes.every((byte) => byte === '00');
  const host =
    bytes.length === 4
      ? isAny
        ? '127.0.0.1'
        : bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
      : isAny
        ? '[::1]'
        : `[${(bytes.join('').match(/.{4}/g) ?? []).join(':')}]`;
  return `${host}:${Number.parseInt(port, 16)}`;
}
