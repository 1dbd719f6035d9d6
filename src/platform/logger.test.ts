import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const logger = new URL('./logger.ts', import.meta.url).href;

const program = (level: string, script: string) => `
  const { createLogger } = await import('${logger}');
  const log = createLogger({ level: '${level}', fields: { component: 'agent' } });
  ${script}`;

/** Runs `script` in a process of its own with a `log`, since loggers write to the process's standard error. */
async function logged(level: string, script: string) {
  const { stdout, stderr } = await run(process.execPath, [
    '--input-type=module',
    '-e',
    program(level, script),
  ]);
  expect(stdout).toBe('');
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

describe('the logger', () => {
  it('writes one JSON line a message to standard error, with its fields', async () => {
    const lines = await logged('info', `log.info({ frames: 3 }, 'drained'); log.warn({}, 'slow');`);
    expect(lines).toMatchObject([
      { component: 'agent', frames: 3, msg: 'drained' },
      { component: 'agent', msg: 'slow' },
    ]);
    expect(lines[1].level).toBeGreaterThan(lines[0].level);
  });

  it('leaves out what is below its level', async () => {
    const lines = await logged(
      'warn',
      `log.info({}, 'quiet'); log.debug({}, 'quieter'); log.error({}, 'loud');`,
    );
    expect(lines.map(({ msg }) => msg)).toEqual(['loud']);
  });

  it('has children that add fields', async () => {
    const lines = await logged('info', `log.child({ source: 'host' }).info({}, 'sampled');`);
    expect(lines).toMatchObject([{ component: 'agent', source: 'host', msg: 'sampled' }]);
  });

  it('has written everything even when the process exits at once', async () => {
    const lines = await logged(
      'info',
      `for (let i = 0; i < 100; i++) log.info({ event: String(i) }, 'last words'); process.exit(0);`,
    );
    expect(lines).toHaveLength(100);
  });

  it('escapes what a terminal would obey, and cuts what is too long', async () => {
    const text = String.raw`log.info({ name: 'a\u009b31m\u007f\u2028', long: 'x'.repeat(9_000) }, 'said');`;
    const { stderr } = await run(process.execPath, ['--input-type=module', '-e', program('info', text)]);
    expect(stderr).toContain(String.raw`a\u009b31m\u007f\u2028`);
    expect(stderr.length).toBeLessThan(3_000);
  });

  it('leaves out lines of which one cause has too many, and counts them', async () => {
    const [last, ...lines] = (
      await logged(
        'info',
        `for (let i = 0; i < 500; i++) log.warn({ event: 'cut_off', address: '10.0.0.1' }, 'cut off');
        log.info(log.missing(), 'missing');`,
      )
    ).reverse();
    expect(last).toMatchObject({ msg: 'missing', leftOut: 500 - lines.length, dropped: 0 });
    expect(lines.length).toBeLessThan(50);
  });
});

describe('a reader that stops', () => {
  const flood = `
    for (let i = 0; i < 900; i++) log.info({ event: String(i), text: 'x'.repeat(1_500) }, 'line');
    process.stdout.write(JSON.stringify(log.missing()) + '\\n');`;

  it('holds nothing up; what nobody took is dropped, counted, and told when it reads again', async () => {
    const script = `${flood} process.stdin.once('data', () => { log.info({}, 'last'); process.stdin.destroy(); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program('info', script)]);
    const [told] = await once(child.stdout, 'data');
    const { dropped } = JSON.parse(String(told));
    expect(dropped).toBeGreaterThan(100);
    let text = '';
    child.stderr.on('data', (chunk) => (text += chunk));
    // It goes on once all that waited has been taken.
    while (!text.includes('log_lines_dropped')) await once(child.stderr, 'data');
    child.stdin.write('go on');
    await once(child, 'close');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ msg }) => msg === 'line')).toHaveLength(900 - dropped);
    expect(lines.filter(({ event }) => event === 'log_lines_dropped')).toMatchObject([{ lines: dropped }]);
    expect(lines.at(-1)).toMatchObject({ msg: 'last' });
  });

  it('holds up no end either', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program('info', flood)]);
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    child.stderr.destroy();
  });
});
