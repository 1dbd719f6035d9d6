/** The transcripts of docs/protocol.md, said to a real HQ: what it answers is what the page shows. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { start } from '../../src/hq/testing/started-hq.ts';
import { decodeDown } from '../../src/protocol/compact/down.ts';
import { eventually } from '../support/eventually.ts';
import { root } from '../support/holdfast.ts';

const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');

type Line = { readonly from: 'agent' | 'hq'; readonly content: string | Buffer };

/** Lines of a block: who speaks, then a text, or `bytes` and hex digits; indented ones go on. */
function transcript(name: string): readonly Line[] {
  const [, block = ''] = page.split(`\`\`\`text transcript:${name}\n`);
  const whole = (block.split('```')[0] ?? '').replaceAll(/\n {7}/g, '').trimEnd();
  return whole.split('\n').map((line): Line => {
    const [, from = '', content = ''] = /^(agent|hq {3}) {2}(.*)$/.exec(line) ?? [];
    if (from === '') throw new Error(`no line of a transcript: ${line}`);
    const isBytes = content.startsWith('bytes ');
    return {
      from: from.trim() === 'hq' ? 'hq' : 'agent',
      content: isBytes ? Buffer.from(content.slice(6).replaceAll(' ', ''), 'hex') : content,
    };
  });
}

/** Without what differs each time. */
function masked(content: string | Buffer): unknown {
  if (typeof content !== 'string') {
    const message = decodeDown(content);
    return message.type === 'heard' ? { ...message, hqTs: 0 } : message;
  }
  return content.replaceAll(/"(hqTs|heldMs)":\d+/g, '"$1":0').replaceAll(/"(sid|hq)":"[^"]*"/g, '"$1":"…"');
}

/** Pings, and turns of credit that come as time goes by. */
const isByTheWay = (content: string | Buffer) =>
  content === '2' || (typeof content === 'string' && content.startsWith('42/agents,["credit"'));

it.each(['version-1', 'version-2'])('the transcript %s is what HQ says', async (name) => {
  const lines = transcript(name);
  expect(lines.length).toBeGreaterThan(10);
  const hq = await start({ agentToken: 'secret' });
  const socket = new WebSocket(`${hq.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  onTestFinished(() => socket.terminate());
  const said: (string | Buffer)[] = [];
  socket.on('message', (data: RawData, binary) => {
    const content = binary ? (data as Buffer) : String(data);
    if (!isByTheWay(content)) said.push(content);
  });
  await once(socket, 'open');
  for (const { from, content } of lines) {
    if (from === 'agent') {
      socket.send(content);
      continue;
    }
    await eventually(() => expect(said.length).toBeGreaterThan(0), { interval: 5 });
    expect(masked(said.shift() ?? '')).toEqual(masked(content));
  }
  expect(said).toEqual([]);
});
