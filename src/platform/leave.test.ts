import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const module = JSON.stringify(join(import.meta.dirname, 'leave.ts'));
const OPEN = 'setInterval(() => {}, 1000);';

function endOf(script: string) {
  const code = `const { leaveDone, leaveNow } = await import(${module}); ${script}`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', code], { encoding: 'utf8' });
}

describe('leaving', () => {
  it('lets a process that is done end by itself, and says its exit code', () => {
    const byItself = "process.on('exit', () => process.stdout.write('by itself'));";
    const exitCalled = "process.exit = () => process.stdout.write('called');";
    expect(endOf(`${byItself} ${exitCalled} leaveDone(3);`)).toMatchObject({
      status: 3,
      stdout: 'by itself',
    });
  });

  it('ends a process that is done although something is still open', () => {
    expect(endOf(`${OPEN} leaveDone(4);`)).toMatchObject({ status: 4, signal: null });
  });

  it('ends a process that is at work, while its main thread still runs for a moment', () => {
    const later = "setTimeout(() => process.stdout.write('still here'), 1);";
    expect(endOf(`${OPEN} leaveNow(5); ${later}`)).toMatchObject({ status: 5, stdout: 'still here' });
  });
});
