/** The scripts for the shells, run by the shells where they are there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../command-line.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type Node, nodesOf } from './nodes.ts';
import { zshScript } from './zsh.ts';

let nodes: readonly Node[] = [];
let folder = '';
beforeAll(async () => {
  nodes = nodesOf(await buildProgram(['completion', 'bash']));
  folder = mkdtempSync(join(tmpdir(), 'holdfast-completion-'));
  writeFileSync(join(folder, 'bash'), bashScript(nodes));
  writeFileSync(join(folder, 'zsh'), zshScript(nodes));
  writeFileSync(join(folder, 'fish'), fishScript(nodes));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;
const quoted = (word: string) => `'${word}'`;

/** What each shell offers for the last of the words. */
const ASK = {
  bash: (words: readonly string[]) => `
    source ${folder}/bash
    compopt() { :; }
    COMP_WORDS=(${words.map(quoted).join(' ')}); COMP_CWORD=${words.length - 1}
    _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: (words: readonly string[]) => `
    compdef() { :; }
    compadd() { shift; print -l -- $@ }
    _files() { print -- FILES }
    _message() { :; }
    _describe() { local name=$argv[-1]; print -l -- "\${(@)\${(P@)name}%%:*}" }
    source ${folder}/zsh
    words=(${words.map(quoted).join(' ')}); CURRENT=${words.length}
    _holdfast`,
  fish: (words: readonly string[]) =>
    `source ${folder}/fish; complete -C ${quoted(words.join(' '))} | string split -f1 \\t`,
} as const;

function offered(shell: keyof typeof ASK, ...words: string[]): string[] {
  const { stdout, stderr } = spawnSync(shell, ['-c', ASK[shell](['holdfast', ...words])], {
    encoding: 'utf8',
    cwd: folder,
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('what can be typed', () => {
  it('has every command, and the choices of a flag', () => {
    const at = (path: string) => nodes.find((one) => one.path.join(' ') === path);
    expect(at('')?.commands.map(({ name }) => name)).toEqual([
      'demo',
      'hq',
      'agent',
      'config',
      'journal',
      'backup',
      'agents',
      'ledger',
      'samples',
      'series',
      'retire',
      'completion',
      'version',
    ]);
    expect(at('config print')?.commands.map(({ name }) => name)).toEqual(['agent', 'hq']);
    const takes = (path: string, flag: string) => at(path)?.flags.find(({ name }) => name === flag)?.takes;
    expect(takes('agent', '--preset')).toMatchObject({
      kind: 'words',
      words: expect.arrayContaining(['lte']),
    });
    expect(takes('agent', '--token-file')).toEqual({ kind: 'file' });
    expect(takes('agents', '--token-file')).toEqual({ kind: 'file' });
    expect(takes('agents', '--output')).toEqual({ kind: 'words', words: ['table', 'json', 'csv'] });
    expect(takes('hq', '--data-dir')).toEqual({ kind: 'directory' });
    expect(takes('hq', '--trust-proxy')).toEqual({ kind: 'words', words: ['true', 'false'] });
    expect(at('journal stats')?.takes).toEqual({ kind: 'directory' });
  });
});

describe.each(['bash', 'zsh', 'fish'] as const)('%s', (shell) => {
  it.skipIf(!has(shell))('offers commands, flags and values where they belong', () => {
    const starting = (prefix: string, words: string[]) => words.filter((word) => word.startsWith(prefix));
    expect(starting('a', offered(shell, 'a'))).toEqual(['agent', 'agents']);
    expect(starting('--upl', offered(shell, 'agent', '--upl'))).toContain('--uplink-ack-timeout-ms');
    expect(starting('--upl', offered(shell, 'hq', '--upl'))).toEqual([]);
    expect(starting('sat', offered(shell, 'agent', '--id', 'hq', '--preset', 'sat'))).toEqual(['satellite']);
    expect(starting('v', offered(shell, 'config', 'v'))).toEqual(['validate']);
    expect(starting('h', offered(shell, 'config', 'print', 'h'))).toEqual(['hq']);
    expect(starting('f', offered(shell, 'completion', 'f'))).toEqual(['fish']);
    expect(offered(shell, 'agent', '--id', '')).toEqual([]);
  });
});
