import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { until } from '../../tests/support/wait.ts';
import { agentSummarySchema, refusalSchema } from '../protocol/api.ts';
import { ask, helloOf } from './ingest/testing/test-hq.ts';
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
    'agentTokenFile: the token file /nonexistent/token cannot be read (there is no such file)',
  );
});

async function connected({ url }: RunningHq) {
  const socket = io(`${url}/agents`, { forceNew: true, reconnection: false });
  onTestFinished(() => void socket.disconnect());
  await new Promise<void>((resolve) => void socket.once('connect', resolve));
  return socket;
}
const summary = async ({ url }: RunningHq, agent: string) =>
  agentSummarySchema.parse(await (await fetch(`${url}/api/v1/agents/${agent}`)).json());
const refusals = async ({ url }: RunningHq) =>
  z.object({ items: z.array(refusalSchema) }).parse(await (await fetch(`${url}/api/v1/refusals`)).json())
    .items;

it('shows an agent whose journal is refused as refused, with why and what to do, until it is let in', async () => {
  const hq = await start();
  expect(await ask(await connected(hq), 'hello', helloOf('first'))).toMatchObject({ ok: true });
  const copy = await connected(hq);
  const { epoch } = helloOf('first');
  const reply = await ask(copy, 'hello', helloOf('copy', { epoch }));
  expect(reply).toMatchObject({ ok: false, error: { code: 'forked_epoch' } });

  const refusal = {
    ...{ reason: 'forked_epoch', detail: expect.stringContaining('first') },
    advice: expect.stringContaining('--new-epoch'),
  };
  expect(await summary(hq, 'copy')).toMatchObject({
    state: 'refused',
    over: 'link',
    connected: false,
    refusal,
  });
  expect(await refusals(hq)).toMatchObject([
    { agent: 'copy', address: '127.0.0.1', over: 'link', ...refusal },
  ]);

  expect(await ask(copy, 'hello', helloOf('copy'))).toMatchObject({ ok: true });
  expect(await summary(hq, 'copy')).toMatchObject({ connected: true, refusal: null });
  await until('the episode to end', async () => (await refusals(hq)).length === 0);
});

it('names each agent whose hello is refused, and makes no agents of them', async () => {
  const hq = await start({ limits: { maxAgents: 1 } });
  const first = await connected(hq);
  first.on('probe', (answer) => answer({}));
  expect(await ask(first, 'hello', helloOf('first'))).toMatchObject({ ok: true });
  const hellos = {
    bad_request: { ...helloOf('vague'), released: 9, sampled: 0 },
    unsupported_version: { protocol: 99, agent: 'young' },
    other_hq: helloOf('astray', { hq: 'of-another-hq' }),
    duplicate_agent: helloOf('first', { instance: 'another' }),
    registry_full: helloOf('second'),
  };
  for (const hello of Object.values(hellos))
    expect(await ask(await connected(hq), 'hello', hello)).toMatchObject({ ok: false });
  expect((await refusals(hq)).map(({ agent, reason }) => [reason, agent]).sort()).toEqual(
    Object.entries(hellos)
      .map(([reason, { agent }]) => [reason, agent])
      .sort(),
  );
  const { items } = z
    .object({ items: z.array(agentSummarySchema) })
    .parse(await (await fetch(`${hq.url}/api/v1/agents`)).json());
  expect(items).toMatchObject([{ id: 'first', connected: true, refusal: null }]);
});
