import type { Node, Taken } from './nodes.ts';

/** A script for bash, which also sources it: `source <(holdfast completion bash)`. */
export function bashScript(nodes: readonly Node[]): string {
  const paths = nodes.filter(({ path }) => path.length > 0).map(({ path }) => quoted(keyOf(path)));
  const values = nodes.flatMap(({ path, flags }) =>
    flags
      .filter(({ takes }) => takes.kind !== 'nothing')
      .map(({ name, takes }) => `    ${quoted(`${keyOf(path)}:${name}`)}) ${replyOf(takes)}; return ;;`),
  );
  const words = nodes.map(({ path, commands, flags, takes }) => {
    const all = [...commands, ...flags].map(({ name }) => name);
    const own = takes.kind === 'words' ? [...takes.words, ...all] : all;
    const more =
      takes.kind === 'directory' ? ' [[ $cur == -* ]] || { compopt -o filenames; also=-d; } ;' : '';
    return `    ${quoted(keyOf(path))}) words=${quoted(own.join(' '))} ;${more};`;
  });
  return `# Completes the commands and flags of holdfast in bash.
_holdfast() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= words= also= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${paths.join('|')}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at:$prev" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen $also -W "$words" -- "$cur"))
}
complete -F _holdfast holdfast
`;
}

const keyOf = (path: readonly string[]) => path.map((word) => ` ${word}`).join('');
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function replyOf(takes: Taken): string {
  switch (takes.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W ${quoted(takes.words.join(' '))} -- "$cur"))`;
    case 'file':
      return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))';
    case 'directory':
      return 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur"))';
    default:
      return 'COMPREPLY=()';
  }
}
