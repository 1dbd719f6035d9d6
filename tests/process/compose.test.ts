/** docker-compose.yml and the Dockerfile: hardened services whose command lines Holdfast accepts as they stand. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { built, root, runToEnd } from '../support/holdfast.ts';

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  healthcheck: z.object({
    test: z.array(z.string()),
    interval: z.string(),
    timeout: z.string(),
    start_period: z.string(),
    retries: z.number(),
  }),
});
const fileSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
});

const { services, volumes } = fileSchema.parse(
  parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }),
);
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const named = Object.entries(services).map(([name, service]) => ({ name, service }));

/** `${NAME:-default}` as Compose reads it when nothing is set. */
const interpolated = (text: string) => text.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1');
const imageEnvironment = Object.fromEntries(
  [...dockerfile.matchAll(/^ENV (HOLDFAST_[A-Z_]+)=(\S+)$/gm)].map((match) => [
    match[1] ?? '',
    match[2] ?? '',
  ]),
);

function environmentOf({ environment }: z.infer<typeof serviceSchema>): Record<string, string> {
  const own = Object.entries(environment).map(([name, value]) => [name, interpolated(value)] as const);
  return { ...imageEnvironment, ...Object.fromEntries(own) };
}

const settingsSchema = z.array(z.object({ setting: z.string(), value: z.unknown().optional() }));

/** Effective settings of a service, as the command in its container would see them. */
async function settingsOf(service: z.infer<typeof serviceSchema>): Promise<ReadonlyMap<string, unknown>> {
  const [component = '', ...flags] = service.command;
  const { code, stdout, stderr } = await runToEnd(['config', 'print', component, ...flags, '--json'], {
    ...built,
    env: environmentOf(service),
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return new Map(settingsSchema.parse(JSON.parse(stdout)).map(({ setting, value }) => [setting, value]));
}

/** The plugin or the program of its own, whichever is here; neither needs an engine to check a file. */
const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
);

describe('docker-compose.yml', () => {
  it('has one HQ and three agents, each with a volume of its own', () => {
    const roles = named.map(({ service }) => service.command[0]);
    expect(roles.toSorted()).toEqual(['agent', 'agent', 'agent', 'hq']);
    const mounts = named.map(({ service }) => service.volumes);
    const sources = mounts.flat().map((mount) => mount.split(':')[0] ?? '');
    expect(mounts.every((mount) => mount.length === 1 && mount[0]?.endsWith(':/data'))).toBe(true);
    expect(new Set(sources).size).toBe(named.length);
    expect(Object.keys(volumes)).toEqual(expect.arrayContaining(sources));
  });

  it.each(named)('hardens $name', ({ service }) => {
    expect(service).toMatchObject({
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      read_only: true,
      restart: 'unless-stopped',
    });
    expect(service).not.toHaveProperty('privileged');
    expect(service).not.toHaveProperty('cap_add');
    expect(service).not.toHaveProperty('network_mode');
    // An ordered stop takes 30 s at most.
    expect(Number.parseInt(String(service.stop_grace_period), 10)).toBeGreaterThan(30);
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it.each(named)('gives $name a command line, and defaults, that Holdfast accepts', async ({ service }) => {
    const [component = '', ...flags] = service.command;
    const { code, stdout, stderr } = await runToEnd(['config', 'validate', component, ...flags], {
      ...built,
      env: environmentOf(service),
    });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'valid', stderr: '' });
  });

  it.each(named)('looks after the health of $name where it listens', async ({ service }) => {
    const settings = await settingsOf(service);
    expect(settings.get('dataDir')).toBe('/data');
    const port = settings.get(service.command[0] === 'hq' ? 'port' : 'healthPort');
    const [kind, program, script = '', url] = service.healthcheck.test;
    expect([kind, program]).toEqual(['CMD', 'node']);
    expect(existsSync(join(root, script)), 'npm run build makes it').toBe(true);
    expect(url).toBe(`http://127.0.0.1:${port}/healthz`);
  });

  it('lets the agents in with the token that HQ asks for, at the address where it is', async () => {
    const { hq, ...agents } = services;
    if (hq === undefined) throw new Error('no service hq');
    const port = (await settingsOf(hq)).get('port');
    for (const agent of Object.values(agents)) {
      const settings = await settingsOf(agent);
      expect(settings.get('hq')).toBe(`http://hq:${port}`);
      expect(environmentOf(agent).HOLDFAST_TOKEN).toBe(environmentOf(hq).HOLDFAST_AGENT_TOKEN);
    }
    const ids = await Promise.all(
      Object.values(agents).map(async (agent) => (await settingsOf(agent)).get('id')),
    );
    expect(new Set(ids).size).toBe(3);
  });

  it.skipIf(compose === undefined)(
    compose === undefined ? 'skipped: needs docker-compose' : `is accepted by ${compose.join(' ')}`,
    () => {
      const [command = '', ...args] = compose ?? [];
      const { status, stderr } = spawnSync(command, [...args, 'config', '-q'], {
        cwd: root,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
});

describe('the image', () => {
  it('runs as nobody special, writes to one volume only, and is stopped and checked without a shell', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(last).toMatch(/^USER node$/m);
    expect([...last.matchAll(/^VOLUME (\S+)$/gm)].map((match) => match[1])).toEqual(['/data']);
    expect(imageEnvironment).toEqual({ HOLDFAST_DATA_DIR: '/data' });
    // In shell form signals would reach the shell and not Holdfast.
    expect(last).toMatch(/^ENTRYPOINT \["node", "bin\/holdfast\.js"\]$/m);
    expect(last).toMatch(/^HEALTHCHECK [^\n]*\\\n\s+CMD \["node", /m);
    expect(last).not.toMatch(/\bcurl\b|\bwget\b/);
  });
});
