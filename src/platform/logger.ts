/**
 * Logging: pino, JSON lines on standard error, readable lines when standard error is a terminal.
 *
 * Nothing waits for a line to be written (log-destination.ts), and no cause may have lines without end (line-limit.ts);
 * `debug` lines are not limited, since the person who wants them wants all.
 */
import pino from 'pino';
import { createLineLimit, type LineLimit } from './line-limit.ts';
import { createLogDestination, type LogDestination, openStderr } from './log-destination.ts';

/** Loaded only where it is used: a service that logs JSON need not carry it. */
const pretty = process.stderr.isTTY ? (await import('pino-pretty')).prettyFactory : null;

export type LogFields = Readonly<Record<string, unknown>>;
export type Logger = {
  readonly debug: (fields: LogFields, message: string) => void;
  readonly info: (fields: LogFields, message: string) => void;
  readonly warn: (fields: LogFields, message: string) => void;
  readonly error: (fields: LogFields, message: string) => void;
  /** A logger that adds `fields` to every line. */
  readonly child: (fields: LogFields) => Logger;
  /** Lines that were never written: nothing took them in time, or one cause had too many. */
  readonly missing: () => { readonly dropped: number; readonly leftOut: number };
};

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LoggerOptions = {
  readonly level: LogLevel;
  /** Fields of every line, for instance `{ component: 'agent' }`. */
  readonly fields: LogFields;
};

/** Characters of one text in a line: what clients send may be in it. */
const MAX_TEXT = 2_000;
/** Of JSON only what is below U+0020 is escaped; a terminal obeys these too. */
const CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

export function createLogger({ level, fields }: LoggerOptions): Logger {
  const format = pretty?.({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }) ?? String;
  const base = { ...fields, pid: process.pid };
  const missing = (lines: number) =>
    `${JSON.stringify({ level: WARN, time: Date.now(), ...base, event: 'log_lines_dropped', lines, msg: 'lines are missing: nothing took them in time' })}\n`;
  const destination = createLogDestination(openStderr(), (lines) => harmless(format(missing(lines))));
  process.on('exit', destination.finish);
  const lines = pino({ level, base }, { write: (line) => destination.write(harmless(format(line))) });
  const limit = createLineLimit(() => performance.now());
  return loggerOf(lines, limit, destination);
}

const WARN = 40;

function loggerOf(lines: pino.Logger, limit: LineLimit, destination: LogDestination): Logger {
  const write = (level: 'info' | 'warn' | 'error') => (fields: LogFields, message: string) => {
    if (!lines.isLevelEnabled(level)) return;
    const verdict = limit.take(textOf(fields.event) ?? message, peerOf(fields));
    if (!verdict.write) return;
    const { leftOut } = verdict;
    lines[level]({ ...bounded(fields), ...(leftOut > 0 && { leftOut }) }, message);
  };
  return {
    debug: (fields, message) => lines.debug(bounded(fields), message),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => loggerOf(lines.child(fields), limit, destination),
    missing: () => ({ dropped: destination.dropped(), leftOut: limit.leftOut() }),
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** Whom a line is about. */
const peerOf = ({ agent, address, source }: LogFields): string | null =>
  textOf(agent) ?? textOf(address) ?? textOf(source);

function bounded(fields: LogFields): LogFields {
  const long = Object.entries(fields).filter(
    ([, value]) => typeof value === 'string' && value.length > MAX_TEXT,
  );
  if (long.length === 0) return fields;
  return {
    ...fields,
    ...Object.fromEntries(long.map(([name, value]) => [name, `${String(value).slice(0, MAX_TEXT)}…`])),
  };
}

function harmless(line: string): string {
  return line.replace(CONTROLS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
  missing: () => ({ dropped: 0, leftOut: 0 }),
};
