/**
 * Health check of a container: exits 0 when HQ or the agent in it answers on /healthz with a 2xx. It finds the address
 * by itself, whatever flags, variables or file have set it; an argument, an address with `http:`, is asked instead.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { listeningSockets } from './listening-sockets.ts';

const DEADLINE_MS = 4_000;
const [, , given] = process.argv;
// It runs every few seconds in the container of an agent: fetch would take twice the time and 16 MB more.
const { get } = process.getBuiltinModule('node:http');

/** The first process of the container, or what its init has started. */
function addresses(): readonly string[] {
  const own = listeningSockets(1);
  const pids = own.length > 0 ? [] : readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const children = pids.map(Number).filter((pid) => parentOf(pid) === 1 && pid !== process.pid);
  return [...own, ...children.flatMap(listeningSockets)].map((place) => `http://${place}/healthz`);
}

function parentOf(pid: number): number | null {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

// Not by `process.exit`, see platform/leave.ts.
process.exitCode = 1;
for (const url of given === undefined ? addresses() : [given]) {
  const request = get(url, { signal: AbortSignal.timeout(DEADLINE_MS) }, ({ statusCode = 0 }) => {
    if (statusCode >= 200 && statusCode < 300) process.exitCode = 0;
    request.destroy();
  });
  request.on('error', () => {});
}
