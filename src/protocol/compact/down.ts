/**
 * Compact messages of protocol 2 from HQ to agent: answers and credit. docs/protocol.md, section 8, has the layout.
 *
 * Invariants:
 * - decoding throws a CompactError, and nothing else, on bytes that are no valid message;
 * - it allocates in proportion to the bytes given, whatever counts they claim;
 * - no message needs another one to be understood.
 */
import { type ByteReader, ByteWriter } from '../codec/bytes.ts';
import type { Coverage } from '../coverage.ts';
import { MAX_RECONNECT_MS, WIRE_ERROR_CODES, type WireError } from '../events.ts';
import { MAX_SEQ, type SchemaRef } from '../sample.ts';
import { CompactError } from './compact-error.ts';
import { readBounded, readCoverage, readText, readWhole, writeCoverage, writeText } from './fields.ts';
import { REQUEST_NUMBERS } from './up.ts';

export type DownMessage =
  /** Frames that are accounted for: `ack` covers all of them. */
  | {
      readonly type: 'acked';
      readonly requests: readonly number[];
      readonly ack: Coverage;
      readonly credit: number;
      readonly creditBytes?: number | undefined;
    }
  | { readonly type: 'refused'; readonly request: number; readonly error: WireError }
  /** A heartbeat was heard. */
  | {
      readonly type: 'heard';
      readonly request: number;
      readonly hqTs: number;
      readonly ack: Coverage;
      readonly storing?: boolean | undefined;
      readonly reconnectMs?: number | undefined;
    }
  | { readonly type: 'credit'; readonly frames: number; readonly creditBytes?: number | undefined };

/** Low half of the first byte; flags in the other. */
const ACKED = 0x01;
const REFUSED = 0x02;
const HEARD = 0x03;
const CREDIT = 0x04;
const TYPE_BITS = 0x0f;
const CREDIT_BYTES = 0x10;
const STORING_KNOWN = 0x10;
const STORING = 0x20;
const RECONNECT = 0x40;

/** Frames that one message answers at most. */
export const MAX_ACKED = 256;
const MAX_CREDIT = 1024;
const MAX_RETRY_MS = 86_400_000;
/** Four bytes for each character of a wire error's message. */
const MAX_TEXT_BYTES = 4_000;
const MAX_REFS = 4_096;
const REF_BYTES = 6;

const scratch = new ByteWriter();

export function encodeDown(message: DownMessage): Uint8Array {
  const writer = scratch.reset();
  switch (message.type) {
    case 'acked':
      writer.u8(ACKED | (message.creditBytes === undefined ? 0 : CREDIT_BYTES));
      writeRequests(writer, message.requests);
      writeCoverage(writer, message.ack);
      writer.varint(message.credit);
      if (message.creditBytes !== undefined) writer.varint(message.creditBytes);
      break;
    case 'refused':
      writer.u8(REFUSED);
      writer.varint(message.request);
      writeError(writer, message.error);
      break;
    case 'heard': {
      const { storing, reconnectMs } = message;
      const hasStoring = storing === undefined ? 0 : STORING_KNOWN;
      writer.u8(
        HEARD | hasStoring | (storing === true ? STORING : 0) | (reconnectMs === undefined ? 0 : RECONNECT),
      );
      writer.varint(message.request);
      writer.signed(Math.round(message.hqTs));
      writeCoverage(writer, message.ack);
      if (reconnectMs !== undefined) writer.varint(reconnectMs);
      break;
    }
    case 'credit':
      writer.u8(CREDIT | (message.creditBytes === undefined ? 0 : CREDIT_BYTES));
      writer.varint(message.frames);
      if (message.creditBytes !== undefined) writer.varint(message.creditBytes);
      break;
  }
  return writer.view().slice();
}

export function decodeDown(bytes: Uint8Array): DownMessage {
  return readWhole(bytes, (reader): DownMessage => {
    const head = reader.u8('type');
    const flags = head & ~TYPE_BITS;
    const known = (mask: number) => {
      if ((flags & ~mask) !== 0) throw new CompactError('malformed', `unknown flags ${flags}`);
    };
    switch (head & TYPE_BITS) {
      case ACKED: {
        known(CREDIT_BYTES);
        const requests = readRequests(reader);
        const ack = readCoverage(reader);
        const credit = readBounded(reader, MAX_CREDIT, 'credit');
        return { type: 'acked', requests, ack, credit, ...readCreditBytes(reader, flags) };
      }
      case REFUSED:
        known(0);
        return { type: 'refused', request: readRequest(reader), error: readError(reader) };
      case HEARD: {
        known(STORING_KNOWN | STORING | RECONNECT);
        const request = readRequest(reader);
        const hqTs = reader.signed('time of HQ');
        const ack = readCoverage(reader);
        const storing = flags & STORING_KNOWN ? { storing: (flags & STORING) !== 0 } : {};
        const reconnect =
          flags & RECONNECT
            ? { reconnectMs: readBounded(reader, MAX_RECONNECT_MS, 'wait to reconnect') }
            : {};
        return { type: 'heard', request, hqTs, ack, ...storing, ...reconnect };
      }
      case CREDIT: {
        known(CREDIT_BYTES);
        const frames = readBounded(reader, MAX_CREDIT, 'credit');
        return { type: 'credit', frames, ...readCreditBytes(reader, flags) };
      }
      default:
        throw new CompactError('unknown_type', `a message of type ${head}`);
    }
  });
}

function readRequest(reader: ByteReader): number {
  return readBounded(reader, REQUEST_NUMBERS - 1, 'number of a request');
}

/** The first one, then how many numbers lie between each and the one before. */
function writeRequests(writer: ByteWriter, requests: readonly number[]): void {
  writer.varint(requests.length);
  let before = -1;
  for (const request of requests) {
    writer.varint((request - before - 1 + REQUEST_NUMBERS) % REQUEST_NUMBERS);
    before = request;
  }
}

function readRequests(reader: ByteReader): number[] {
  const count = readBounded(reader, MAX_ACKED, 'number of requests');
  const requests: number[] = [];
  let before = -1;
  for (let index = 0; index < count; index += 1) {
    before = (before + 1 + readRequest(reader)) % REQUEST_NUMBERS;
    requests.push(before);
  }
  return requests;
}

function readCreditBytes(reader: ByteReader, flags: number): { readonly creditBytes?: number } {
  return flags & CREDIT_BYTES ? { creditBytes: readBounded(reader, MAX_SEQ, 'credit in bytes') } : {};
}

/** `supported` answers hello only, which is no compact message. */
function writeError(writer: ByteWriter, { code, message, retryAfterMs, refs }: WireError): void {
  writer.u8(WIRE_ERROR_CODES.indexOf(code));
  writer.varint(retryAfterMs === undefined ? 0 : Math.ceil(retryAfterMs) + 1);
  writeText(writer, message);
  writer.varint(refs?.length ?? 0);
  for (const ref of refs ?? []) writer.hex48(ref);
}

function readError(reader: ByteReader): WireError {
  const code = WIRE_ERROR_CODES[reader.u8('code')];
  if (code === undefined) throw new CompactError('malformed', 'an error code that is not known');
  const retry = readBounded(reader, MAX_RETRY_MS + 1, 'time to retry');
  const message = readText(reader, MAX_TEXT_BYTES, 'message');
  const count = readBounded(reader, MAX_REFS, 'number of refs');
  if (count * REF_BYTES > reader.remaining) throw new CompactError('truncated', `${count} refs`);
  const refs = Array.from({ length: count }, (): SchemaRef => reader.hex48('ref'));
  return {
    code,
    message,
    ...(retry === 0 ? {} : { retryAfterMs: retry - 1 }),
    ...(count === 0 ? {} : { refs }),
  };
}
