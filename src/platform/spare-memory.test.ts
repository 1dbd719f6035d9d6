import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';

const module = new URL('./spare-memory.ts', import.meta.url).href;

/**
 * Runs `before`, `spareMemory()` and `script` in a process of its own, and gives the lines that it and V8's compilers
 * print.
 */
function lines(script: string, before = ''): AsyncIterable<string> {
  const program = `${before} const { spareMemory } = await import('${module}'); spareMemory(); ${script}`;
  const flags = ['--trace-opt', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return createInterface({ input: child.stdout });
}

const HOT = `
  const hot = (from) => { let sum = 0; for (let i = from; i < from + 1e5; i++) sum += i % 7; return sum; };
  const work = (ms) => { const end = performance.now() + ms; while (performance.now() < end) hot(1); };`;

describe('sparing memory', () => {
  it('optimizes nothing of a process that has only been started, and what is hot once it has been busy for long', async () => {
    const script = `${HOT}
      work(1000);
      process.stdout.write('started\\n');
      setInterval(() => work(50), 0);`;
    let isStarted = false;
    for await (const line of lines(script)) {
      if (line === 'started') isStarted = true;
      if (!/completed optimizing .*\bhot\b/.test(line)) continue;
      expect(isStarted).toBe(true);
      return;
    }
    expect.fail('the process ended');
    // It has to be busy for seconds of its own time.
  }, 180_000);

  it('optimizes what is hot as soon as work is expected', async () => {
    // How busy the process is is never looked at.
    const before = 'globalThis.setInterval = () => ({ unref() {} });';
    const script = `${HOT}
      const { expectWork } = await import('${module}');
      expectWork();
      const go = () => { work(50); setTimeout(go, 0); };
      go();`;
    for await (const line of lines(script, before)) {
      if (/completed optimizing .*\bhot\b/.test(line)) return;
    }
    expect.fail('the process ended');
  }, 180_000);

  it('keeps no process alive and takes away the WebSocket that nobody uses', async () => {
    const seen: string[] = [];
    for await (const line of lines(`process.stdout.write(typeof WebSocket + '\\n');`)) seen.push(line);
    expect(seen).toContain('undefined');
  });
});
