/** What the HQ that judges an agent does next. */
import type { WireError } from '../../src/protocol/events.ts';
import type { FrameMessage } from './connection.ts';

export type FrameVerdict = 'take' | 'drop' | 'hold' | WireError;

export const LIMITS = { maxFrameBytes: 64 * 1024, maxFrameSamples: 256, maxSeries: 10_000 };

/** What this HQ does next; a test changes it as it goes. */
export type Policy = {
  /** Null: hello is accepted. */
  refuseHello: WireError | null;
  /** Answers to hello wait for so long. */
  helloMs: number;
  /** Version 2 is agreed on where it is offered. */
  compact: boolean;
  /** Backlog frames that hello allows. */
  credit: number;
  frame: (frame: FrameMessage) => FrameVerdict;
  /** Attempts to connect are answered with HTTP 503. */
  accepting: boolean;
};
