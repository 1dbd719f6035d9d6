/** Health check of a container: exits 0 when the address answers with a 2xx. Argument: URL, default HQ's own. */
const [, , url = 'http://127.0.0.1:8000/healthz'] = process.argv;

const healthy = await fetch(url, { signal: AbortSignal.timeout(4000) })
  .then((response) => response.ok)
  .catch(() => false);
process.exit(healthy ? 0 : 1);
