import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const logger = new URL('./logger.ts', import.meta.url).href;

/** Runs `script` in a process of its own with a `log`, since loggers write to the process's standard error. */
async function logged(level: string, script: string) {
  const program = `
    const { createLogger } = await import('${logger}');
    const log = createLogger({ level: '${level}', fields: { component: 'agent' } });
    ${script}`;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program]);
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
      `for (let i = 0; i < 100; i++) log.info({ i }, 'last words'); process.exit(0);`,
    );
    expect(lines).toHaveLength(100);
  });
});
