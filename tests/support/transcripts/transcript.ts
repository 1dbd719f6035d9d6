/** Reads a recorded transcript; README.md has its form. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const lineSchema = z.union([
  z.strictObject({ connection: z.number(), from: z.enum(['agent', 'hq']), text: z.string() }),
  z.strictObject({ connection: z.number(), from: z.enum(['agent', 'hq']), bytes: z.string() }),
]);

export type Message = { readonly from: 'agent' | 'hq'; readonly content: string | Buffer };

/** The connections of a transcript, each with its messages in order; pings and pongs are left out. */
export function readTranscript(name: string): readonly (readonly Message[])[] {
  const connections = new Map<number, Message[]>();
  for (const line of readFileSync(join(import.meta.dirname, name), 'utf8')
    .trimEnd()
    .split('\n')) {
    const one = lineSchema.parse(JSON.parse(line));
    const content = 'text' in one ? one.text : Buffer.from(one.bytes, 'base64');
    if (content === '2' || content === '3') continue;
    const messages = connections.get(one.connection) ?? [];
    // What HQ said between a text and its attachment came after both had been sent.
    const at = typeof content === 'string' ? messages.length : messages.findLastIndex(isFrom(one.from)) + 1;
    messages.splice(at, 0, { from: one.from, content });
    connections.set(one.connection, messages);
  }
  return [...connections.values()];
}

const isFrom = (side: Message['from']) => (message: Message) => message.from === side;

const PACKET = /^4(?<type>[235])(?:\d+-)?\/agents,(?<id>\d*)(?<data>\[.*\])$/s;

export type Packet = {
  readonly kind: 'event' | 'answer';
  readonly id: number | null;
  readonly data: unknown[];
};

/** The Socket.IO event or answer that a text is; null where it is neither. */
export function packetOf(content: string | Buffer): Packet | null {
  const groups = typeof content === 'string' ? PACKET.exec(content)?.groups : undefined;
  if (groups === undefined) return null;
  const { type, id = '', data = '[]' } = groups;
  return {
    kind: type === '3' ? 'answer' : 'event',
    id: id === '' ? null : Number(id),
    data: z.array(z.unknown()).parse(JSON.parse(data)),
  };
}
