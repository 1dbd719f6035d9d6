import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withTokensOfFiles } from './token-files.ts';

const NONE = { agentToken: '', operatorToken: '', agentTokenFile: '', operatorTokenFile: '' };
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-tokens-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fileWith = (name: string, content: string) => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

it('leaves texts as they are', () => {
  const config = { ...NONE, agentToken: 'a', operatorToken: 'b' };
  expect(withTokensOfFiles(config)).toEqual({ config, problems: [] });
});

it('takes each token from its file, without the white space around', () => {
  const agentTokenFile = fileWith('agents', ' of-agents\n');
  const operatorTokenFile = fileWith('operators', 'of-operators\r\n');
  expect(withTokensOfFiles({ ...NONE, agentTokenFile, operatorTokenFile })).toEqual({
    config: { agentTokenFile, operatorTokenFile, agentToken: 'of-agents', operatorToken: 'of-operators' },
    problems: [],
  });
});

it('says what is wrong with both files at once, and nothing of what they hold', () => {
  const agentTokenFile = join(directory, 'nowhere');
  const operatorTokenFile = fileWith('operators', 'two s3cret words');
  expect(withTokensOfFiles({ ...NONE, agentTokenFile, operatorTokenFile }).problems).toEqual([
    `agentTokenFile: the token file ${agentTokenFile} cannot be read (there is no such file): put the token there, readable for this user (--agent-token-file).`,
    `operatorTokenFile: the token file ${operatorTokenFile} holds no token: it must be one word of at most 4096 characters (--operator-token-file).`,
  ]);
});

it('refuses a token that is given twice', () => {
  const config = { ...NONE, agentToken: 'a', agentTokenFile: fileWith('agents', 'b') };
  expect(withTokensOfFiles(config).problems).toEqual([
    'agentToken and agentTokenFile are both set; only one of them can hold the token.',
  ]);
});
