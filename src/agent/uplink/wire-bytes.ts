/** What messages take of a link, headers of IP, TCP and WebSocket included. */

/** IPv4, TCP with timestamps. */
const PACKET_HEADER_BYTES = 52;
const PACKET_BYTES = 1_400;
/** WebSocket header with its mask, and ours. */
const MESSAGE_BYTES = 14;

/** What a message of so many bytes takes of the link. */
export function onTheWire(bytes: number): number {
  const payload = bytes + MESSAGE_BYTES;
  return payload + Math.ceil(payload / PACKET_BYTES) * PACKET_HEADER_BYTES;
}

/** Bytes a message may have to take no more than `wireBytes` of the link; the inverse of `onTheWire`, at least 1. */
export function payloadWithin(wireBytes: number): number {
  const packets = Math.max(1, Math.ceil(wireBytes / (PACKET_BYTES + PACKET_HEADER_BYTES)));
  return Math.max(1, Math.floor(wireBytes) - packets * PACKET_HEADER_BYTES - MESSAGE_BYTES);
}
