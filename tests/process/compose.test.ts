/** docker-compose.yml and the Dockerfile: hardened services whose command lines Holdfast accepts as they stand. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { built, root, runToEnd } from '../support/holdfast.ts';

const bindSchema = z.object({
  type: z.literal('bind'),
  source: z.string(),
  target: z.string(),
  read_only: z.literal(true),
  bind: z.object({ propagation: z.literal('rslave') }),
});
const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.union([z.string(), bindSchema])),
  ports: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
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
  it('has HQ, agents, and one for the machine where it is asked for, each with a volume of its own', () => {
    expect(named.map(({ name, service }) => [name, service.command[0], service.profiles])).toEqual([
      ['hq', 'hq', []],
      ['agent', 'agent', []],
      ['host', 'agent', ['host']],
    ]);
    const [data, ...binds] = named.map(({ service }) => service.volumes[0]);
    const sources = [data, ...binds].map((mount) => String(mount).split(':'));
    for (const [, target] of sources) expect(target).toBe('/data');
    expect(sources.map(([volume]) => volume)).toEqual(Object.keys(volumes));
  });

  it('has agents that can be scaled: no name, port or folder is theirs alone', async () => {
    const { agent } = services;
    if (agent === undefined) throw new Error('no service agent');
    expect(agent.ports).toEqual([]);
    expect(agent).not.toHaveProperty('container_name');
    expect(agent).toMatchObject({ deploy: { replicas: 3 } });
    const settings = await settingsOf(agent);
    expect([settings.get('sharedDataDir'), settings.get('id'), settings.get('healthPort')]).toEqual([
      true,
      undefined,
      0,
    ]);
  });

  it('lets the tour break the link, unless it is told not to', async () => {
    const { hq } = services;
    if (hq === undefined) throw new Error('no service hq');
    expect((await settingsOf(hq)).get('chaosEnabled')).toBe(true);
    expect(hq.environment.HOLDFAST_CHAOS_ENABLED).toMatch(/^\$\{HOLDFAST_CHAOS_ENABLED:-true\}$/);
  });

  it('shows all of the machine to the agent that watches it, and in one place', async () => {
    const { host } = services;
    if (host === undefined) throw new Error('no service host');
    const [, bind] = host.volumes;
    expect(bind).toMatchObject({ source: '/', target: '/host' });
    expect((await settingsOf(host)).get('source')).toEqual(['host:every=1s,root=/host']);
    expect(host).toMatchObject({ network_mode: 'host' });
  });

  it.each(named)('hardens $name', ({ name, service }) => {
    expect(service).toMatchObject({
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      read_only: true,
      restart: 'unless-stopped',
    });
    expect(service).not.toHaveProperty('privileged');
    expect(service).not.toHaveProperty('cap_add');
    if (name !== 'host') expect(service).not.toHaveProperty('network_mode');
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

  it.each(named)('has $name write to its volume, and leaves its health to the image', async ({ service }) => {
    expect((await settingsOf(service)).get('dataDir')).toBe('/data');
    expect(service).not.toHaveProperty('healthcheck');
  });

  it('lets the agents in with the token that HQ asks for, at the address where it is', async () => {
    const { hq, agent, host } = services;
    if (hq === undefined || agent === undefined || host === undefined)
      throw new Error('a service is missing');
    const port = (await settingsOf(hq)).get('port');
    expect(hq.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    for (const [one, address] of [
      [agent, `http://hq:${port}`],
      [host, `http://127.0.0.1:${port}`],
    ] as const) {
      const settings = await settingsOf(one);
      expect([settings.get('hq'), settings.get('token')]).toEqual([address, '(set)']);
      expect(environmentOf(one).HOLDFAST_AGENT_TOKEN).toBe(environmentOf(hq).HOLDFAST_AGENT_TOKEN);
    }
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
    const [, script = ''] = /^HEALTHCHECK [^\n]*\\\n\s+CMD \["node", "([^"]+)"\]$/m.exec(last) ?? [];
    expect(existsSync(join(root, script)), 'npm run build makes it').toBe(true);
    expect(last).not.toMatch(/\bcurl\b|\bwget\b/);
  });

  it('has the Node that the project is tested with, once, on Debian stable', () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(root, 'node_modules/node/package.json'), 'utf8')));
    expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${version}-trixie-slim\n`);
    expect(dockerfile.match(/^FROM .*$/gm)).toHaveLength(2);
    expect(dockerfile.match(/^FROM \$\{NODE_IMAGE\}/gm)).toHaveLength(2);
  });
});
