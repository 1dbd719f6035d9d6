/** Logging: pino, JSON lines on standard error, readable lines when standard error is a terminal. */
import pino from 'pino';

/** Loaded only where it is used: a service that logs JSON need not carry it. */
const pretty = process.stderr.isTTY ? (await import('pino-pretty')).default : null;

export type LogFields = Readonly<Record<string, unknown>>;
export type Logger = {
  readonly debug: (fields: LogFields, message: string) => void;
  readonly info: (fields: LogFields, message: string) => void;
  readonly warn: (fields: LogFields, message: string) => void;
  readonly error: (fields: LogFields, message: string) => void;
  /** A logger that adds `fields` to every line. */
  readonly child: (fields: LogFields) => Logger;
};

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LoggerOptions = {
  readonly level: LogLevel;
  /** Fields of every line, for instance `{ component: 'agent' }`. */
  readonly fields: LogFields;
};

export function createLogger(options: LoggerOptions): Logger {
  const destination =
    pretty === null
      ? destinationOf(2)
      : pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
  return pino({ level: options.level, base: { ...options.fields, pid: process.pid } }, destination);
}

/**
 * What cannot be written, for instance to a file on a full disk, waits for the next line; beyond so much lines are
 * dropped.
 */
const MAX_WAITING_BYTES = 256 * 1024;

/** A line that cannot be written is no reason to end: the caller goes on with its work. */
function destinationOf(fd: number) {
  const destination = pino.destination({ dest: fd, sync: true, maxLength: MAX_WAITING_BYTES });
  destination.on('error', () => {});
  return destination;
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
