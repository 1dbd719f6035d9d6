import { type Packet, PacketType } from 'socket.io-parser';
import { expect, it } from 'vitest';
import { compactParser } from './socketio-parser.ts';

/** What comes out of a decoder for these packets. */
function decoded(texts: readonly string[]): unknown[] {
  const decoder = new compactParser.Decoder();
  const found: unknown[] = [];
  decoder.on('decoded', (packet: Packet) => found.push(packet.data));
  for (const text of texts) decoder.add(text);
  return found;
}

const packet = (payload: string) => `${PacketType.EVENT}/agents,["schema",${payload}]`;

it('names of attributes are read as they are written, whatever another agent sent before', () => {
  const others = packet('{"h":[],"\\\\":"x"}');
  const read = decoded([others, packet('{"h":"1","\\"":"2"}'), packet('{"h":"1","\\u00b0":"2"}')]);
  expect(read.slice(1)).toEqual([
    ['schema', { h: '1', '"': '2' }],
    ['schema', { h: '1', '\u00b0': '2' }],
  ]);
});

it('what is no JSON is refused as before', () => {
  expect(() => decoded([packet('{"a')])).toThrow('invalid payload');
});
