import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listeningSockets, placesBelow } from './listening-sockets.ts';

async function portOn(host: string): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => void server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['127.1.2.3', '127.1.2.3'],
  ['0.0.0.0', '127.0.0.1'],
])('finds what listens on %s, at an address where it answers', async (host, reached) => {
  const port = await portOn(host);
  expect(listeningSockets(process.pid)).toContain(`${reached}:${port}`);
});

it('finds nothing more once it is closed, and nothing of a process that is not there', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  expect(listeningSockets(process.pid)).not.toContain(`127.0.0.1:${port}`);
  expect(listeningSockets(2 ** 22 + 1)).toEqual([]);
});

const LISTEN = `const s = require('net').createServer(); s.listen(0, '127.0.0.1', () => console.log(s.address().port))`;

it.each([
  ['itself', process.execPath, ['-e', LISTEN]],
  ['what an init has started', 'sh', ['-c', `"${process.execPath}" -e "${LISTEN}"; true`]],
])('finds where a process listens: %s', async (_which, command, args) => {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const { pid = 0 } = child;
  onTestFinished(() => void process.kill(-pid, 'SIGKILL'));
  const [port] = await once(child.stdout.setEncoding('utf8'), 'data');
  expect(placesBelow(pid)).toEqual([`127.0.0.1:${String(port).trim()}`]);
});
