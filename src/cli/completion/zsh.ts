import type { Node, Taken } from './nodes.ts';

/** A script for zsh: sourced after `compinit`, or kept as `_holdfast` in a folder of `$fpath`. */
export function zshScript(nodes: readonly Node[]): string {
  const paths = nodes.filter(({ path }) => path.length > 0).map(({ path }) => quoted(keyOf(path)));
  const values = nodes.flatMap(({ path, flags }) =>
    flags
      .filter(({ takes }) => takes.kind !== 'nothing')
      .map(({ name, takes }) => `    (${quoted(`${keyOf(path)}:${name}`)}) ${replyOf(takes)}; return ;;`),
  );
  const choices = nodes.map(({ path, commands, flags, takes }) => {
    const described = (all: readonly { name: string; about: string }[]) =>
      all.map(({ name, about }) => quoted(`${name}:${about}`)).join(' ');
    const own = takes.kind === 'nothing' || takes.kind === 'text' ? '' : ` ${replyOf(takes)};`;
    return `    (${quoted(keyOf(path))}) commands=(${described(commands)}); flags=(${described(flags)});${own} ;;`;
  });
  return `#compdef holdfast
# Completes the commands and flags of holdfast in zsh.
_holdfast() {
  local at= word
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      (${paths.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at:\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${choices.join('\n')}
  esac
  (( $#commands )) && _describe -t commands 'command' commands
  _describe -o -t flags 'flag' flags
}
compdef _holdfast holdfast
`;
}

const keyOf = (path: readonly string[]) => path.map((word) => ` ${word}`).join('');
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function replyOf(takes: Taken): string {
  switch (takes.kind) {
    case 'words':
      return `compadd -- ${takes.words.map(quoted).join(' ')}`;
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    default:
      return "_message 'a value'";
  }
}
