/**
 * Health check of a container: exits 0 when HQ or the agent in it answers on /healthz with a 2xx. It finds the address
 * by itself, whatever flags, variables or file have set it; an argument, an address with `http:`, is asked instead.
 */
import { placesBelow } from './listening-sockets.ts';

const DEADLINE_MS = 4_000;
/** Of a container. */
const FIRST_PROCESS = 1;
const [, , given] = process.argv;
// It runs every few seconds in the container of an agent: fetch would take twice the time and 16 MB more.
const { get } = process.getBuiltinModule('node:http');

// Not by `process.exit`, see platform/leave.ts.
process.exitCode = 1;
const found = () => placesBelow(FIRST_PROCESS).map((place) => `http://${place}/healthz`);
for (const url of given === undefined ? found() : [given]) {
  const request = get(url, { signal: AbortSignal.timeout(DEADLINE_MS) }, ({ statusCode = 0 }) => {
    if (statusCode >= 200 && statusCode < 300) process.exitCode = 0;
    request.destroy();
  });
  request.on('error', () => {});
}
