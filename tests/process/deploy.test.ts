/** deploy/: units for systemd and manifests for Kubernetes that say what Holdfast accepts. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { built, node, root, runToEnd } from '../support/holdfast.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Whether Holdfast takes the command line; files that only the place of deployment has are made up. */
async function expectAccepted(
  [component = '', ...flags]: readonly string[],
  env: Record<string, string> = {},
) {
  const folder = temporaryFolder();
  const made = flags.map((flag, index) => {
    const isFile = (name: string | undefined) => /^--[a-z-]*token-file$/.test(name ?? '');
    const [name, value] = flag.split('=');
    if (!isFile(name) && !isFile(flags[index - 1])) return flag;
    if (isFile(name) && value === undefined) return flag;
    const path = join(folder, `token-${index}`);
    writeFileSync(path, `a-token-of-${index}`);
    return value === undefined ? path : `${name}=${path}`;
  });
  const { code, stdout, stderr } = await runToEnd(['config', 'validate', component, ...made], {
    ...built,
    env,
  });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'valid', stderr: '' });
}

describe.each(['holdfast-hq', 'holdfast-agent'])('%s.service', (name) => {
  const unit = readFileSync(join(root, `deploy/systemd/${name}.service`), 'utf8');
  /** With a program that is there. */
  const file = () => {
    const path = join(temporaryFolder(), `${name}.service`);
    writeFileSync(path, unit.replaceAll('/usr/local/bin/holdfast', node));
    return path;
  };
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const hasAnalyze = analyze('--version').status === 0;

  it.skipIf(!hasAnalyze)('is accepted by systemd-analyze verify', () => {
    const { status, stdout, stderr } = analyze('verify', '--man=no', file());
    expect({ status, told: stdout + stderr }).toEqual({ status: 0, told: '' });
  });

  it.skipIf(!hasAnalyze)('is as hardened as the documentation says', () => {
    const { stdout } = analyze('security', '--offline=yes', '--no-pager', file());
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    const documented = new RegExp(`\\| \`${name}\\.service\` \\| ([\\d.]+) \\|`).exec(
      readFileSync(join(root, 'docs/deploy.md'), 'utf8'),
    )?.[1];
    expect(exposure).toBeLessThanOrEqual(Number(documented));
    expect(exposure).toBeLessThan(2);
  });

  it('has a command line that Holdfast accepts', async () => {
    const [, line = ''] = /^ExecStart=(.+)$/m.exec(unit) ?? [];
    const [, ...args] = line.replaceAll(/\$\{[A-Z_]+\}/g, '/var/lib/holdfast').split(' ');
    await expectAccepted(args);
  });
});

describe('the manifests for Kubernetes', () => {
  const documents = ['hq.yaml', 'agent.yaml'].flatMap((file) => {
    const text = readFileSync(join(root, 'deploy/kubernetes', file), 'utf8');
    return parseAllDocuments(text).map((one) => one.toJS() as Record<string, unknown>);
  });
  const podSchema = z.looseObject({
    spec: z.looseObject({
      template: z.looseObject({
        spec: z.looseObject({
          enableServiceLinks: z.literal(false),
          automountServiceAccountToken: z.literal(false),
          containers: z.array(
            z.looseObject({
              args: z.array(z.string()),
              volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
              securityContext: z.looseObject({
                allowPrivilegeEscalation: z.literal(false),
                readOnlyRootFilesystem: z.literal(true),
                capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
              }),
            }),
          ),
          volumes: z.array(z.looseObject({ name: z.string() })),
        }),
      }),
      volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })).default([]),
    }),
  });

  it.each(['StatefulSet', 'DaemonSet'])(
    '%s is hardened, and runs a command line that Holdfast accepts',
    async (kind) => {
      const { spec } = podSchema.parse(documents.find((one) => one.kind === kind));
      const { containers, volumes } = spec.template.spec;
      const names = [...volumes, ...spec.volumeClaimTemplates.map(({ metadata }) => metadata)].map(
        ({ name }) => name,
      );
      for (const { args, volumeMounts } of containers) {
        expect(names).toEqual(expect.arrayContaining(volumeMounts.map(({ name }) => name)));
        await expectAccepted(args);
      }
    },
  );
});
