import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { refusalSchema } from '../protocol/api.ts';
import type { RunningHq } from './main.ts';
import { type Line, start } from './testing/started-hq.ts';

/** Whether HQ lets an agent in. */
function isLetIn({ url }: RunningHq, auth: object): Promise<boolean> {
  const socket = io(`${url}/agents`, { forceNew: true, reconnection: false, auth });
  onTestFinished(() => void socket.disconnect());
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('connect_error', () => resolve(false));
  });
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

it('logs who is refused once an episode, and shows them to people', async () => {
  const lines: Line[] = [];
  const hq = await start({ agentToken: 'for-agents', operatorToken: 'for-people' }, lines);
  for (let count = 0; count < 3; count += 1) {
    expect(await isLetIn(hq, { token: 'wrong' })).toBe(false);
    const delivery = await fetch(`${hq.url}/telemetry`, { method: 'POST', headers: bearer('wrong') });
    expect(delivery.status).toBe(401);
  }
  const told = lines.filter(({ event }) => event === 'agent_refused');
  expect(told).toEqual(Array(2).fill({ level: 'warn', event: 'agent_refused' }));

  expect((await fetch(`${hq.url}/api/v1/refusals`)).status).toBe(401);
  const answer: unknown = await (
    await fetch(`${hq.url}/api/v1/refusals`, { headers: bearer('for-people') })
  ).json();
  const { items } = z.object({ items: z.array(refusalSchema) }).parse(answer);
  expect(items).toMatchObject([
    { address: '127.0.0.1', reason: 'token', over: 'http', attempts: 3 },
    { address: '127.0.0.1', reason: 'token', over: 'link', attempts: 3 },
  ]);
});

it('takes its tokens from files', async () => {
  const folder = temporaryFolder();
  const fileWith = (token: string) => {
    const path = join(folder, token);
    writeFileSync(path, `${token}\n`);
    return path;
  };
  const hq = await start({
    agentTokenFile: fileWith('for-agents'),
    operatorTokenFile: fileWith('for-people'),
  });
  expect(await isLetIn(hq, {})).toBe(false);
  expect(await isLetIn(hq, { token: 'for-agents' })).toBe(true);
  expect((await fetch(`${hq.url}/api/v1/agents`)).status).toBe(401);
  expect((await fetch(`${hq.url}/api/v1/agents`, { headers: bearer('for-people') })).status).toBe(200);
});

it('does not start with a token file that is not there', async () => {
  await expect(start({ agentTokenFile: '/nonexistent/token' })).rejects.toThrow(
    'agentTokenFile: the token file /nonexistent/token cannot be read (ENOENT)',
  );
});
