/** Tokens and passwords on the real command line: they work, and nothing that holdfast prints or serves shows them. */

import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { agentMetrics, agentStatus, startAgentProcess } from '../support/agent.ts';
import { built, runToEnd } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const TOKEN = 's3cret-of-agents';
const SOURCES = ['sim:hz=20,sensors=2'];

/** Serves HQ below a path, as a web server that has other pages too: everything else is 404. */
async function startFront(hqUrl: string, prefix: string): Promise<{ url: string; paths: string[] }> {
  const { hostname, port } = new URL(hqUrl);
  const paths: string[] = [];
  const inner = (url: string) => {
    paths.push(url);
    return url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : null;
  };
  const server = createServer((incoming, response) => {
    const path = inner(incoming.url ?? '');
    if (path === null) return void response.writeHead(404).end();
    const { method, headers } = incoming;
    const onward = request({ hostname, port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  server.on('upgrade', (incoming, socket, head) => {
    const path = inner(incoming.url ?? '');
    if (path === null) return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    const onward = connect(Number(port), hostname);
    const headers = incoming.rawHeaders.flatMap((name, at, all) =>
      at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : [],
    );
    onward.write(`GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
    for (const one of [onward, socket]) one.on('error', () => void [onward, socket].map((s) => s.destroy()));
    onTestFinished(() => void [onward, socket].map((one) => one.destroy()));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
}

describe('an address with a path', () => {
  it('is kept, and a token from a file is sent and shown nowhere', async () => {
    const folder = temporaryFolder();
    const env = { HOLDFAST_AGENT_TOKEN: TOKEN, HOLDFAST_OPERATOR_TOKEN: '' };
    const hq = await startHqProcess(join(folder, 'hq'), { ...built, env });
    const front = await startFront(hq.url, '/some/prefix');
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'not-the-s3cret\n');
    const agent = startAgentProcess({
      ...built,
      id: 'edge',
      hq: `${front.url}/some/prefix`,
      dataDir: join(folder, 'edge'),
      sources: SOURCES,
      env: { HOLDFAST_TOKEN_FILE: tokenFile },
    });
    await until('HQ to refuse the wrong token', async () =>
      agent.stderr.some((line) => line.includes('"kind":"unauthorized"')),
    );
    writeFileSync(tokenFile, `${TOKEN}\n`);
    await until('samples at HQ', async () => ((await ledgerOf(hq.url, 'edge'))[0]?.stored ?? 0) > 0);
    expect(front.paths.filter((path) => !path.startsWith('/some/prefix/socket.io/'))).toEqual([]);
    const shown = [
      ...agent.stderr,
      ...agent.stdout,
      ...hq.stderr,
      JSON.stringify(await agentStatus(agent)),
      (await agentMetrics(agent)) ?? '',
    ];
    expect(shown.join('\n')).toContain(`${front.url}/some/prefix`);
    expect(shown.join('\n')).not.toContain('s3cret');
  });
});

describe('a secret in the wrong place', () => {
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runToEnd(args, { ...built, env });

  it.each([
    ['a flag', ['--hq', 'http://joe:s3cret@hq'], {}],
    ['the environment', [], { HOLDFAST_HQ: 'http://joe:s3cret@hq' }],
    ['a query', ['--hq', 'http://hq/?token=s3cret'], {}],
  ])('is refused with a hint and not repeated: %s', async (_where, args, env) => {
    for (const command of [['agent'], ['config', 'print', 'agent'], ['config', 'validate', 'agent']]) {
      const { code, stdout, stderr } = await run([...command, ...args], env);
      expect(code).toBe(78);
      expect(stderr).toContain('--token-file');
      expect(stdout + stderr).not.toContain('s3cret');
    }
  });

  it('is not repeated from a misspelt flag, a misspelt variable or a file that is no YAML', async () => {
    const file = join(temporaryFolder(), 'holdfast.yaml');
    writeFileSync(file, 'hq: http://hq\ntoken: "s3cret\n  x: [\n');
    const answers = [
      await run(['agent', '--tokne=s3cret']),
      await run(['agent'], { HOLDFAST_TOKNE: 's3cret' }),
      await run(['agent', '--config', file]),
      await run(['agent', '--token', 's3cret', '--token-file', '/nowhere']),
    ];
    expect(answers.map(({ code }) => code)).toEqual([64, 78, 78, 78]);
    for (const { stdout, stderr } of answers) expect(stdout + stderr).not.toContain('s3cret');
  });

  it('is not printed with the settings', async () => {
    const agent = await run(['config', 'print', 'agent', '--token', 's3cret']);
    const hq = await run(['config', 'print', 'hq', '--json'], {
      HOLDFAST_AGENT_TOKEN: 's3cret-1',
      HOLDFAST_OPERATOR_TOKEN: 's3cret-2',
    });
    expect([agent.code, hq.code]).toEqual([0, 0]);
    expect(agent.stdout).toMatch(/^token +"\(set\)"/m);
    expect(agent.stdout + hq.stdout).not.toContain('s3cret');
  });
});
