/** The conformance runner on this HQ and this agent, and on others that are wrong. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { impatient, startAgentProcess } from '../support/agent.ts';
import { built, root, run, runToEnd } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const runner = { entry: [join(root, 'conformance/main.ts')] };

const failed = (lines: readonly string[]) => lines.filter((line) => /^(fail|warn) /.test(line));
const skipped = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith('skip ')).map((line) => line.split(/\s+/)[2]);

describe('npm run conformance', () => {
  it('finds nothing wrong with this HQ', async () => {
    const env = { HOLDFAST_AGENT_TOKEN: 'token-of-agents', HOLDFAST_OPERATOR_TOKEN: 'token-of-operators' };
    const hq = await startHqProcess(temporaryFolder(), { ...built, env });
    const files = temporaryFolder();
    const [agent, operator] = Object.entries(env).map(([name, token]) => {
      writeFileSync(join(files, name), `${token}\n`);
      return join(files, name);
    });
    const tokens = ['--token-file', `${agent}`, '--operator-token-file', `${operator}`];
    const { code, stdout } = await runToEnd(['--hq', hq.url, ...tokens], runner);
    const lines = stdout.split('\n');
    expect(failed(lines)).toEqual([]);
    // It takes as many samples as a frame can have.
    expect(skipped(lines)).toEqual(['frame.too-many']);
    expect(lines.length).toBeGreaterThan(200);
    expect(code).toBe(0);
  });

  it('finds nothing wrong with this agent', async () => {
    const judge = run(['--agent', '--token', 'shown', '--patience-ms', '60000'], runner);
    const url = await until('the judge to listen', async () => /http:\S+\d/.exec(judge.stdout[0] ?? '')?.[0]);
    startAgentProcess({
      ...{ ...built, id: 'judged', hq: url, dataDir: temporaryFolder() },
      sources: ['sim:hz=20,sensors=3,seed=7'],
      args: [...impatient, '--token', 'shown', '--health-port', '0'],
    });
    const code = await judge.ended;
    expect(failed(judge.stdout)).toEqual([]);
    expect(skipped(judge.stdout).filter((id) => id !== 'frame.notes')).toEqual([]);
    expect(code).toBe(0);
  });

  it('finds an HQ that acks what cannot be read, and misnames what it refuses', async () => {
    const hq = await startHqProcess(temporaryFolder(), built);
    const wrong = await startRelay(hq.url, (text) =>
      text
        .replace('"code":"unsupported_version"', '"code":"bad_request"')
        .replace(/\{"ok":false,"error":\{"code":"bad_frame".*\}\}/, ACKED),
    );
    const { code, stdout } = await runToEnd(['--hq', wrong, '--timeout-ms', '3000'], runner);
    const found = failed(stdout.split('\n')).map((line) => line.split(/\s+/)[2]);
    expect(found).toEqual(
      expect.arrayContaining(['hello.version', 'refused.encoding-7', 'refused.columns-0']),
    );
    expect(found).not.toContain('frame.golden');
    expect(stdout).toContain('expected a refusal with unsupported_version');
    expect(code).toBe(1);
  });

  it('finds an agent that begins without hello, and asks for no ack', async () => {
    const judge = run(['--agent', '--patience-ms', '300'], runner);
    const url = await until('the judge to listen', async () => /http:\S+\d/.exec(judge.stdout[0] ?? '')?.[0]);
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await once(socket, 'open');
    socket.send('40/agents,{}');
    socket.send('42/agents,["heartbeat",{}]');
    expect(await judge.ended).toBe(1);
    const found = failed(judge.stdout).map((line) => line.split(/\s+/)[2]);
    expect(found).toEqual(['contact.hello', 'hello.first', 'events.ack', 'heartbeat.shape']);
  });

  it('says how it is called', async () => {
    const { code, stderr } = await runToEnd([], runner);
    expect(code).toBe(64);
    expect(stderr).toContain('usage: npm run conformance');
  });
});

const ACKED = '{"ok":true,"ack":{"contiguous":0,"ranges":[]},"credit":8}';

/** Stands in front of an HQ and changes what it says. */
async function startRelay(url: string, change: (text: string) => string): Promise<string> {
  const relay = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  relay.on('connection', (client, request) => {
    const up = new WebSocket(`${url.replace('http', 'ws')}${request.url}`);
    const early: [RawData, boolean][] = [];
    client.on('message', (data, binary) => {
      if (up.readyState === WebSocket.CONNECTING) early.push([data, binary]);
      else up.send(data, { binary });
    });
    up.on('open', () => {
      for (const [data, binary] of early) up.send(data, { binary });
    });
    up.on('message', (data, binary) => client.send(binary ? data : change(String(data)), { binary }));
    for (const [one, other] of [
      [client, up],
      [up, client],
    ] as const) {
      one.on('error', () => other.terminate());
      one.on('close', () => other.terminate());
    }
  });
  await once(relay, 'listening');
  onTestFinished(() => {
    for (const client of relay.clients) client.terminate();
    relay.close();
  });
  return `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
}
