/** Settings and wrong usage on the real command line: exit codes, and messages that say what to do. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { built, node, root, runToEnd } from '../support/holdfast.ts';
import { temporaryFolder } from '../support/temporary.ts';

const holdfast = (args: string, env: Readonly<Record<string, string>> = {}) =>
  runToEnd(
    args.split(' ').filter((word) => word !== ''),
    { ...built, env },
  );

const OK = 0;
const FAILURE = 1;
const USAGE = 64;
const CONFIGURATION = 78;

type Case = { readonly args: string; readonly env?: Record<string, string>; readonly says: string };

describe('what is asked for is shown, exit code 0', () => {
  it.each<Case>([
    { args: '--help', says: 'Usage: holdfast' },
    { args: 'help', says: 'Usage: holdfast' },
    { args: 'help agent', says: 'Usage: holdfast agent' },
    { args: 'agent --help', says: '--journal-commit-ms' },
    { args: 'hq --help', says: '--allow-anonymous' },
    { args: 'demo --help', says: '--agents' },
    { args: 'journal verify --help', says: 'exit code 1' },
    { args: '--help', says: 'Examples:\n  holdfast demo' },
    { args: '--help', says: 'Run:\n  demo' },
    { args: 'agent --help', says: 'Settings of uplink:\n  --uplink-backoff-initial-ms' },
    { args: 'agent --help', says: 'Examples:\n  holdfast agent' },
    { args: '--version', says: '0.1.0' },
    { args: '-V', says: '0.1.0' },
    { args: 'version', says: 'holdfast 0.1.0 (protocol 1' },
    { args: 'version --json', says: '"protocol":1' },
    { args: 'config validate agent', says: 'valid' },
    { args: 'config validate hq --json', says: '{"valid":true}' },
    {
      args: 'config validate hq',
      env: { HOLDFAST_LOG_LEVEL: ' info\n', HOLDFAST_TRUST_PROXY: ' true ', HOLDFAST_PORT: '\t8000 ' },
      says: 'valid',
    },
  ])('holdfast $args', async ({ args, env, says }) => {
    const { code, stdout, stderr } = await holdfast(args, env);
    expect({ code, stderr }).toEqual({ code: OK, stderr: '' });
    expect(stdout).toContain(says);
  });
});

describe('wrong usage is told, exit code 64', () => {
  it.each<Case>([
    { args: '', says: 'Usage: holdfast' },
    { args: 'agnet', says: 'Did you mean agent?' },
    { args: 'agent --sorce host', says: 'Did you mean --source?' },
    { args: 'hq --prot 80', says: 'Did you mean --port?' },
    { args: 'demo --agent 3', says: 'Did you mean --agents?' },
    { args: 'agent --id', says: 'argument missing' },
    { args: 'agent more', says: 'too many arguments' },
    { args: 'config print', says: 'Usage: holdfast config print' },
    { args: 'config validate agnet', says: 'agnet' },
    { args: 'config schema agnet', says: 'Allowed choices are agent, hq' },
    { args: 'journal stats', says: "missing required argument 'dir'" },
    { args: 'journal stats /nowhere/at/all', says: '/nowhere/at/all is no directory' },
    { args: 'journal peek /tmp --count none', says: 'expected a whole number' },
  ])('holdfast $args', async ({ args, says }) => {
    const { code, stdout, stderr } = await holdfast(args);
    expect(code).toBe(USAGE);
    expect(stderr).toContain(says);
    expect(stdout).toBe('');
  });

  it('a directory without a journal is a failure, exit code 1', async () => {
    const folder = temporaryFolder();
    for (const verb of ['stats', 'verify', 'peek', 'export']) {
      const { code, stderr } = await holdfast(`journal ${verb} ${folder}`);
      expect(code).toBe(FAILURE);
      expect(stderr).toContain(`There is no journal in ${folder}`);
    }
  });
});

describe('settings that cannot be are refused before anything is started, exit code 78', () => {
  it.each<Case>([
    {
      args: 'agent --hq ftp://example.net',
      says: 'hq (flag --hq): expected an address that begins with http://',
    },
    {
      args: 'agent --id a/b',
      says: 'id (flag --id): must be letters, digits and . _ -, a letter or digit first, 64 at most',
    },
    {
      args: 'agent --preset moon',
      says: 'no preset "moon"; expected one of "lan"|"lte"|"satellite"',
    },
    { args: 'agent --hq http://h:99999', says: 'got "http://h:99999"; a port is at most 65535' },
    {
      args: 'agent --hq http://h:1 --hq http://h:2 --hq http://H:1/',
      says: 'hq names http://h:1 twice, the second time as http://H:1/;',
    },
    {
      args: 'agent',
      env: { HOLDFAST_HQ: 'http://h:1,http://h:1' },
      says: 'hq names http://h:1 twice;',
    },
    {
      args: 'agent --uplink-transport foo',
      says: 'uplink.transport (flag --uplink-transport): expected one of "websocket"|"polling"|"auto", got "foo"',
    },
    { args: 'agent --uplink-budget-zone Mars/Base', says: 'uplink.budgetZone (Mars/Base) is no time zone' },
    {
      args: 'agent --uplink-windows nonsense',
      says: 'uplink.windows has "nonsense": expected hours such as',
    },
    {
      args: 'agent --uplink-max-bytes-per-day -1',
      says: 'uplink.maxBytesPerDay (flag --uplink-max-bytes-per-day): must be at least 0, not -1',
    },
    { args: 'agent --uplink-max-bytes-per-day 10XB', says: 'T for KiB and so on), got "10XB"' },
    { args: 'agent --source bogus', says: 'unknown source `bogus`' },
    { args: 'agent --source sim:hzz=3', says: 'did you mean `hz`?' },
    { args: 'agent --preset ltee', says: 'did you mean "lte"?' },
    { args: 'agent --journal-max-bytes 1MiB', says: 'journal.maxBytes (flag --journal-max-bytes)' },
    { args: 'agent --uplink-ack-timeout-ms 2m', says: 'must be shorter than uplink.breakerOpenMs' },
    {
      args: 'agent',
      env: { HOLDFAST_TOKN: 'x' },
      says: 'HOLDFAST_TOKN: no such setting; did you mean "HOLDFAST_TOKEN"?',
    },
    {
      args: 'agent',
      env: { HOLDFAST_JOURNAL_COMMIT_MS: 'soon' },
      says: 'environment HOLDFAST_JOURNAL_COMMIT_MS',
    },
    ...['agent', 'hq', 'demo', 'config validate agent', 'config print hq'].map((args) => ({
      ...{ args, env: { HOLDFAST_CONFIG: '/dev/zero' } },
      says: 'cannot read the configuration file /dev/zero: it is a device',
    })),
    { args: `agent --config ${tmpdir()}`, says: 'it is a directory; give the file in it' },
    { args: 'hq --agent-token-file /dev/zero', says: 'cannot be read (it is a device' },
    { args: 'hq', env: { HOLDFAST_LOG_LEVEL: ' infos' }, says: 'got "infos"; did you mean "info"?' },
    { args: 'hq --port 70000', says: 'port (flag --port)' },
    { args: 'hq --port eight', says: 'expected a number' },
    { args: 'hq --chaos total', says: 'chaos (flag --chaos)' },
    { args: 'hq --host 0.0.0.0', says: 'HOLDFAST_AGENT_TOKEN' },
    { args: 'hq --host 0.0.0.0', env: { HOLDFAST_AGENT_TOKEN: 'a' }, says: 'HOLDFAST_OPERATOR_TOKEN' },
    { args: 'hq --agent-token same --operator-token same', says: 'must differ' },
    { args: 'hq --config /nowhere.yaml', says: 'cannot read the configuration file /nowhere.yaml' },
    { args: 'demo --agents 0', says: 'agents (flag --agents)' },
  ])('holdfast $args $env', async ({ args, env = {}, says }) => {
    const { code, stdout, stderr } = await holdfast(args, env);
    expect(code).toBe(CONFIGURATION);
    expect(stderr).toContain(says);
    expect(stdout).toBe('');
  });

  it.each([
    ['hq: {a: b}', 'hq (file FILE): expected an address such as https://hq.example:8000, or a list'],
    ['hq: []', 'hq (file FILE): expected one to 8 addresses, got none'],
    ['hq: [http://h:1, {a: b}]', 'got a list with a map in it'],
    [
      'uplink: {routes: [{url: http://h:1, maxLane: fast}]}',
      'uplink.routes.0 (file FILE): expected {url: ADDRESS',
    ],
    ['uplink: {routes: [{url: http://h:1, lane: live}]}', 'it has no "lane"'],
    ['uplink: {routes: [http://h:1, http://h:1]}', 'uplink.routes names http://h:1 twice;'],
    ['source: {kind: host}', 'source (file FILE): expected a list, got a map'],
    ['source: [5]', 'source.0 (file FILE): expected a text such as host:every=1s, or a map such as'],
    ['source: [{every: 1s}]', '{kind: host, every: 1s}; kind is missing'],
    ['source: [{kind: host, evry: 1s}]', 'unknown option `evry`; did you mean `every`?'],
    ['uplink: {windows: {a: b}}', 'uplink.windows (file FILE): expected a list, got a map'],
    ['uplink: {budgetZone: 5}', 'expected a text, got a number; put it in quotes'],
    ['uplink: {maxBytesPerDay: 1e99}', 'uplink.maxBytesPerDay (file FILE): must be at most'],
  ])('%s in a file', async (text, says) => {
    const file = join(temporaryFolder(), 'holdfast.yaml');
    writeFileSync(file, text);
    const { code, stderr } = await holdfast(`agent --config ${file}`);
    expect(code).toBe(CONFIGURATION);
    expect(stderr.replaceAll(file, 'FILE')).toContain(says);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  });

  it('says in one line which variables of a cluster it ignores, and goes on', async () => {
    const env = { HOLDFAST_PORT: 'tcp://10.43.7.9:8000', HOLDFAST_SERVICE_HOST: '10.43.7.9' };
    const { code, stdout, stderr } = await holdfast('config validate hq', env);
    expect({ code, stdout }).toEqual({ code: OK, stdout: 'valid' });
    expect(stderr).toBe(
      'holdfast: variables of a Kubernetes Service or a Docker link are no settings and are ignored: HOLDFAST_PORT, HOLDFAST_SERVICE_HOST',
    );
  });

  it('names every wrong key of a file at once, each with the nearest valid name', async () => {
    const file = join(temporaryFolder(), 'holdfast.yaml');
    writeFileSync(file, 'idd: x\njournal:\n  maxByte: 5MiB\nuplink: 3\n__proto__: {polluted: 1}\n');
    for (const command of ['agent', 'config validate agent']) {
      const { code, stderr } = await holdfast(`${command} --config ${file}`);
      expect(code).toBe(CONFIGURATION);
      expect(stderr).toContain('no setting "idd"; did you mean "id"?');
      expect(stderr).toContain('no setting "journal.maxByte"; did you mean "journal.maxBytes"?');
      expect(stderr).toContain('must be a section, with settings such as uplink.backoffInitialMs');
      expect(stderr).toContain('__proto__');
    }
    writeFileSync(file, 'journal: [unclosed');
    const broken = await holdfast('config validate agent', { HOLDFAST_CONFIG: file });
    expect(broken.code).toBe(CONFIGURATION);
    expect(broken.stderr).toContain('not valid YAML');
  });
});

const rowsSchema = z.array(
  z.object({ setting: z.string(), value: z.unknown().optional(), origin: z.string() }),
);

describe('holdfast config print', () => {
  it('shows each setting with where it comes from; what is nearer to the person wins', async () => {
    const file = join(temporaryFolder(), 'holdfast.yaml');
    writeFileSync(
      file,
      'id: of-file\npreset: satellite\njournal: {commitMs: 1s, maxBytes: 8MiB}\nsource: [host]\n',
    );
    const env = {
      HOLDFAST_ID: 'of-environment',
      HOLDFAST_JOURNAL_COMMIT_MS: '2s',
      HOLDFAST_TOKEN: 'very secret',
    };
    const args = `--config ${file} --id of-flag --source sim:hz=1 --source host`;
    const { code, stdout } = await holdfast(`config print agent ${args} --json`, env);
    expect(code).toBe(OK);
    const rows = new Map(rowsSchema.parse(JSON.parse(stdout)).map((row) => [row.setting, row]));
    expect(rows.get('id')).toMatchObject({ value: 'of-flag', origin: 'flag --id' });
    expect(rows.get('journal.commitMs')).toMatchObject({
      value: 2000,
      origin: 'environment HOLDFAST_JOURNAL_COMMIT_MS',
    });
    expect(rows.get('journal.maxBytes')).toMatchObject({ value: 8 * 2 ** 20, origin: `file ${file}` });
    expect(rows.get('uplink.ackTimeoutMs')).toMatchObject({ value: 300_000, origin: 'preset satellite' });
    expect(rows.get('uplink.maxInFlight')).toMatchObject({ value: 8, origin: 'default' });
    expect(rows.get('source')?.value).toEqual(['sim:hz=1', 'host']);
    expect(stdout).not.toContain('very secret');

    const forPeople = await holdfast(`config print agent ${args}`, env);
    expect(forPeople.stdout).toMatch(/^id +"of-flag" +flag --id$/m);
    expect(forPeople.stdout).not.toContain('very secret');
  });

  it("knows HQ's settings and hides its tokens", async () => {
    const { code, stdout } = await holdfast('config print hq --agent-token hidden --operator-token too');
    expect(code).toBe(OK);
    expect(stdout).toMatch(/^retention\.rawDays +30 +default$/m);
    expect(stdout).toMatch(/^agentToken +"\(set\)" +flag --agent-token$/m);
    expect(stdout).not.toContain('hidden');
  });
});

describe('holdfast config schema', () => {
  it.each([
    ['agent', 'source'],
    ['hq', 'retention'],
  ])('prints a JSON Schema of the %s', async (component, setting) => {
    const { code, stdout } = await holdfast(`config schema ${component}`);
    expect(code).toBe(OK);
    const schema = z
      .object({
        $schema: z.string(),
        type: z.literal('object'),
        properties: z.record(z.string(), z.unknown()),
      })
      .parse(JSON.parse(stdout));
    expect(schema.$schema).toContain('2020-12');
    expect(Object.keys(schema.properties)).toContain(setting);
  });
});

const withFiles = (limit: number, ...args: string[]) =>
  spawnSync(
    'sh',
    ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, node, join(root, 'bin/holdfast.js'), ...args],
    {
      encoding: 'utf8',
      env: {},
    },
  );

it('says so in a sentence where it may open too few files to read its own modules', () => {
  const versionWith = (limit: number) => withFiles(limit, 'version');
  let limit = 40;
  let answer = versionWith(limit);
  expect(answer.status).toBe(OK);
  while (answer.status === OK) {
    limit -= 1;
    answer = versionWith(limit);
  }
  expect(answer.status).toBe(CONFIGURATION);
  expect(answer.stderr).toMatch(/^holdfast: this process may open too few files at once \(EMFILE\): .*\n$/);
});

it.each(['hq', 'agent', 'demo', 'journal'])(
  'says so in a sentence where %s may open too few files to run',
  (command) => {
    const { status, stderr } = withFiles(24, command);
    expect(stderr).toMatch(/^holdfast: this process (can|may) open .*ulimit -n 1024.*\n$/);
    expect(status).toBe(CONFIGURATION);
  },
);
