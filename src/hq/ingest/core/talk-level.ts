/**
 * What messages other than frames may take of HQ's processor, ms a second, and saved up, ms. An agent that says hello,
 * sends a schema of 4,096 series and heartbeats needs some 50 ms once. Frames have bounds of their own.
 *
 * Beyond it nothing is read of the connection for a while. One that owes more than MAX_DEBT_MS all the same, as by long
 * polling, is refused before its messages are looked at.
 */
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';

const TALK_MS = { refillPerSecond: 20, capacity: 500 };
export const MAX_DEBT_MS = 500;

/** Of a message, before it comes here: what its parsing takes, and each byte of it. */
const PARSE_MS = 0.1;
const PARSE_BYTE_MS = 5e-5;

/** Of a hello, what follows its handling: reads of the store, a note of its epoch, its line in the log. */
export const HELLO_MS = 2;

export const createTalkLevel = (): TokenLevel => createTokenLevel(TALK_MS);

export const parseMs = (bytes: number): number => PARSE_MS + PARSE_BYTE_MS * bytes;

/** How long one that owes so much has to wait, ms; 0: it may go on. */
export const debtWaitMs = (debtMs: number): number =>
  debtMs <= MAX_DEBT_MS ? 0 : Math.ceil(((debtMs - MAX_DEBT_MS) / TALK_MS.refillPerSecond) * 1000);
