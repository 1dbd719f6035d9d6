/**
 * The parser of HQ's side: a text is looked at by its size before it is parsed as JSON. Of what an agent says only a
 * schema may be long; what is longer than anything it has to say ends the connection.
 */
import { compactParser } from '../../protocol/compact/socketio-parser.ts';

/** Texts other than schemas: a hello with its identity and run has about 500 bytes, a heartbeat 700. */
export const MAX_TEXT_BYTES = 32 * 1024;
/** Type, attachments, namespace and id of the packet, then the event. */
const SCHEMA = /^[25](?:\d+-)?(?:\/[^,]{0,64},)?\d*\["schema",/;

/** For the option `parser` of the server. `onTooLong`: a text was too long; its connection ends. */
export function boundedParser(onTooLong: () => void): typeof compactParser {
  class BoundedDecoder extends compactParser.Decoder {
    override add(chunk: unknown): void {
      if (typeof chunk === 'string' && chunk.length > MAX_TEXT_BYTES && !SCHEMA.test(chunk.slice(0, 128))) {
        onTooLong();
        throw new Error(`a message of ${chunk.length} bytes that is no schema`);
      }
      super.add(chunk);
    }
  }
  return { Encoder: compactParser.Encoder, Decoder: BoundedDecoder };
}
