/**
 * Names and values of series out of any text: of devices, mount points, columns, labels. Two texts never become one
 * name, which would make one series of two: what had to be changed has a mark of its own.
 */
import { createHash } from 'node:crypto';
import { isLegalText, legalText } from './legal-text.ts';

const MARK_DIGITS = 8;
const MARK_LENGTH = 1 + MARK_DIGITS;

/**
 * The text, where it is legal and has at most `max` UTF-16 code units, `max` above 9. Else what is left of it, `~`, and
 * eight hex digits of its SHA-256.
 */
export function legalName(text: string, max: number): string {
  if (text.length <= max && isLegalText(text) && text !== '__proto__') return text;
  const digest = createHash('sha256').update(text, 'utf16le').digest('hex');
  return `${legalText(text, max - MARK_LENGTH)}~${digest.slice(0, MARK_DIGITS)}`;
}
