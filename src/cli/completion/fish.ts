import type { Flag, Node, Taken } from './nodes.ts';

/** A script for fish: `holdfast completion fish > ~/.config/fish/completions/holdfast.fish`. */
export function fishScript(nodes: readonly Node[]): string {
  const paths = nodes.filter(({ path }) => path.length > 0).map(({ path }) => quoted(keyOf(path)));
  return `# Completes the commands and flags of holdfast in fish.
function __holdfast_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case ${paths.join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end

complete -c holdfast -f
${nodes.flatMap(linesOf).join('\n')}
`;
}

const keyOf = (path: readonly string[]) => path.map((word) => ` ${word}`).join('');
const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function linesOf({ path, commands, flags, takes }: Node): string[] {
  const at = `complete -c holdfast -n ${quoted(`__holdfast_at ${quoted(keyOf(path))}`)}`;
  const own = wordsOf(takes);
  return [
    ...commands.map(({ name, about }) => `${at} -a ${name} -d ${quoted(about)}`),
    ...flags.map((flag) => `${at} ${flagText(flag)}`),
    ...(own === '' ? [] : [`${at} ${own}`]),
  ];
}

function flagText({ name, about, takes }: Flag): string {
  const value = takes.kind === 'nothing' ? '' : takes.kind === 'text' ? ' -x' : ` -r ${wordsOf(takes)}`;
  return `-l ${name.replace(/^--/, '')} -d ${quoted(about)}${value}`;
}

function wordsOf(takes: Taken): string {
  switch (takes.kind) {
    case 'words':
      return `-f -a ${quoted(takes.words.join(' '))}`;
    case 'file':
      return '-F';
    case 'directory':
      return "-f -a '(__fish_complete_directories)'";
    default:
      return '';
  }
}
