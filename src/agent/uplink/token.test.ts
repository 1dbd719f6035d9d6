import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LinkError } from './link.ts';
import { createTokenReader } from './token.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-token-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('gives what was set', () => {
  expect(createTokenReader({ token: 's3cret' })()).toBe('s3cret');
  expect(createTokenReader({})()).toBeUndefined();
});

it('reads the file each time, without the white space around', () => {
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, '  first\n');
  const read = createTokenReader({ tokenFile });
  expect(read()).toBe('first');
  writeFileSync(tokenFile, 'second\r\n\n');
  expect(read()).toBe('second');
});

it.each([
  ['is not there', null, 'cannot be read (there is no such file)'],
  ['is empty', ' \n', 'is empty'],
  ['is something else', 'two s3cret words', 'holds no token'],
  ['is too long', 's3cret'.repeat(1000), 'holds no token'],
])('says that the file %s', (_what, content, says) => {
  const tokenFile = join(directory, 'token');
  if (content !== null) writeFileSync(tokenFile, content);
  const failure = (() => {
    try {
      return createTokenReader({ tokenFile })();
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toBeInstanceOf(LinkError);
  expect(failure).toMatchObject({ kind: 'token_file', message: expect.stringContaining(says) });
  expect(String(failure)).toContain(tokenFile);
  expect(String(failure)).not.toContain('s3cret');
});
