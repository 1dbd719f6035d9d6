/** deploy/: units for systemd and manifests for Kubernetes that say what Holdfast accepts. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { built, node, root, runToEnd } from '../support/holdfast.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { watchReads } from '../support/unread.ts';

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

  type Model = { readonly prototype: { readonly validate: (this: object) => void } };
  const modelSchema = z.custom<Model>((value) => typeof value === 'function');
  /** Validates by the schema of Kubernetes; returns the fields that it does not know. */
  const unknownFields = async (document: Record<string, unknown>): Promise<string[]> => {
    const { apiVersion, kind } = z.looseObject({ apiVersion: z.string(), kind: z.string() }).parse(document);
    const models: Record<string, unknown> = await import(`kubernetes-models/${apiVersion}/${kind}`);
    const { value, unread } = watchReads(document);
    // Not of an instance, which would be a copy.
    modelSchema.parse(models[kind]).prototype.validate.call(value);
    return unread();
  };

  it('keep the schemas of Kubernetes, without a field that they do not know', async () => {
    expect(documents.map(({ kind }) => kind)).toEqual(['Service', 'StatefulSet', 'DaemonSet']);
    for (const document of documents) expect(await unknownFields(document)).toEqual([]);
  });

  it('would be noticed to have a field of another type, or of another name', async () => {
    const hq = documents.find(({ kind }) => kind === 'StatefulSet') as { spec: Record<string, unknown> };
    const changed = (spec: object) => unknownFields({ ...hq, spec: { ...hq.spec, ...spec } });
    await expect(changed({ replicas: 'two' })).rejects.toThrow('replicas');
    expect(await changed({ replcias: 2 })).toEqual(['.spec.replcias']);
    expect(await changed({ template: { spec: { containers: [{ name: 'hq', volumeMount: [] }] } } })).toEqual([
      '.spec.template.spec.containers.0.volumeMount',
    ]);
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
