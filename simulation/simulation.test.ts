/** The simulation as `npm run simulate` runs it: in processes of its own, so that a mutation breaks nothing here. */
import { describe, expect, it } from 'vitest';
import { digestOf } from './kernel/trace.ts';
import { MUTATIONS, SHORT_HOURS } from './mutations/mutations.ts';
import { failureSchema, main, run, simulate } from './simulate-process.ts';

describe('simulation', () => {
  it('plays a seed twice alike, event by event', async () => {
    const args = ['--seeds', '2', '--from-seed', '77', '--hours', '0.045', '--jobs', '1'] as const;
    const [first, second] = await Promise.all([simulate(...args), simulate(...args)]);
    expect(first.summary.digest).toBe(second.summary.digest);
    const other = await simulate('--seeds', '2', '--from-seed', '78', '--hours', '0.045', '--jobs', '1');
    expect(other.summary.digest).not.toBe(first.summary.digest);
  });

  it('shrinks a failure to few faults and says how to see it again, byte for byte', async () => {
    const broken = ['--mutation', 'release_before_ack'];
    const { code, summary } = await simulate(
      '--seeds',
      '2',
      '--from-seed',
      '4',
      '--hours',
      '0.02',
      ...broken,
    );
    expect(code).toBe(1);
    const failure = failureSchema.parse(summary.failures[0]);
    const replay = failure.replay.split(' -- ')[1]?.split(' ') ?? [];
    const [once, twice] = await Promise.all([simulate(...replay), simulate(...replay)]);
    expect(once.code).toBe(1);
    const bytes = ({ stdout }: { stdout: string }) => stdout.replace(/"(seconds|speed)":[0-9.]+/g, '');
    expect(bytes(once)).toBe(bytes(twice));
    expect(once.summary.failures).toEqual([failure]);
    expect(once.summary.digest).toBe(digestOf([failure.digest]));
  });

  it('plays exactly the faults that it is given, and refuses those that a seed has not', async () => {
    const given = ['--seeds', '1', '--hours', '0.02', '--mutation', 'release_before_ack', '--only'];
    const { code, summary } = await simulate(...given, '0,2,1');
    expect(code).toBe(1);
    const [failure] = summary.failures;
    expect(failure?.faults.map((fault) => fault.split(' ')[0])).toEqual(['#0', '#1', '#2']);
    expect(failure?.replay).toContain('--only 0,1,2 ');
    expect(Object.values(summary.faults).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3);
    expect(summary.digest).toBe(digestOf([failure?.digest ?? '']));
    await expect(run(process.execPath, [main, ...given, '0,999'])).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringContaining('seed 1 has no fault 999'),
    });
  });

  it('keeps every promise also when the store of HQ answers late', async () => {
    const args = ['--seeds', '30', '--hours', '0.028', '--jobs', '2', '--late-store'] as const;
    const { code, summary } = await simulate(...args);
    expect(summary.failures).toEqual([]);
    expect(code).toBe(0);
    expect(summary.samples).toBeGreaterThan(1_000);
  });

  it('refuses what it does not understand', async () => {
    const attempt = run(process.execPath, [main, '--seeds', 'many']);
    await expect(attempt).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringContaining('--seeds: give a whole number from 1 on; not many'),
    });
  });
});

describe('a broken product', () => {
  it('is broken in at least twelve ways', () => expect(MUTATIONS.length).toBeGreaterThanOrEqual(12));

  it.each(MUTATIONS)('is caught: $name', async ({ name, fromSeed = 1, hours = SHORT_HOURS }) => {
    const { code, summary } = await simulate(
      '--mutation',
      name,
      '--until-failure',
      '--seeds',
      '200',
      '--from-seed',
      String(fromSeed),
      '--hours',
      String(hours),
    );
    expect(summary.failures.length).toBeGreaterThan(0);
    expect(code).toBe(1);
  });
});
