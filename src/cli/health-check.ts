/**
 * Health check of a container: exits 0 when the address, `http:`, answers with a 2xx. Argument: URL, default HQ's own.
 */
const [, , url = 'http://127.0.0.1:8000/healthz'] = process.argv;

// It runs every few seconds alongside an agent: fetch would take twice the time and 16 MB more.
const { get } = process.getBuiltinModule('node:http');
// Not by `process.exit`, see platform/leave.ts.
const request = get(url, { signal: AbortSignal.timeout(4000) }, ({ statusCode = 0 }) => {
  process.exitCode = statusCode >= 200 && statusCode < 300 ? 0 : 1;
  request.destroy();
});
request.on('error', () => {
  process.exitCode ??= 1;
});
