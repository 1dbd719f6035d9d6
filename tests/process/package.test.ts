/** What other people's code gets from the published package. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { node, root } from '../support/holdfast.ts';

describe('the package', () => {
  it('exports the operators as holdfast/streams, with types', () => {
    const script = `
      import { lastValueFrom, of } from 'rxjs';
      import { circuitBreaker, createAnomalyDetector, detectAnomalies } from 'holdfast/streams';
      const options = { threshold: 3, clearThreshold: 2, window: 5, warmUp: 3, minStddev: 0 };
      const begin = () => {
        const detectors = [createAnomalyDetector(options)];
        return () => detectors;
      };
      const rows = [1, 2, 3, 2, 1, 100].map((value, ts) => ({ ts, values: [value] }));
      const { anomalies } = await lastValueFrom(of(...rows).pipe(detectAnomalies(begin)));
      console.log(JSON.stringify({ isFarOff: anomalies[0].anomaly.peakZ > 10, breaker: typeof circuitBreaker }));`;
    const output = execFileSync(node, ['--input-type=module', '--eval', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(JSON.parse(output)).toEqual({ isFarOff: true, breaker: 'function' });
    expect(existsSync(join(root, 'dist/streams/index.d.ts'))).toBe(true);
  });

  it('holds the command, the build and the dashboard, and no tests', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const parsed: unknown = JSON.parse(output);
    const files = [...JSON.stringify(parsed).matchAll(/"path":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/holdfast.js',
        'dist/bundle/main.js',
        'dist/bundle/probe-child.js',
        'dist/bundle/licenses.md',
        'dist/dashboard/index.html',
        'LICENSE',
        'README.md',
      ]),
    );
    expect(files.filter((file) => /\.test\.|^src\/|^tests\//.test(file))).toEqual([]);
  });
});
