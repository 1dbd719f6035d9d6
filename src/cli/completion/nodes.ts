/** What can be typed after each command, for the shells. */
import type { Command, Option } from 'commander';
import { SettingOption } from '../settings/flags.ts';

/** What a flag or an argument takes. */
export type Taken =
  | { readonly kind: 'nothing' | 'text' | 'file' | 'directory' }
  | { readonly kind: 'words'; readonly words: readonly string[] };

export type Flag = { readonly name: string; readonly about: string; readonly takes: Taken };

export type Node = {
  /** Words that lead here, the first of them a command; none for `holdfast` itself. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly flags: readonly Flag[];
  /** Of the first argument. */
  readonly takes: Taken;
};

/** The program and each command below it. */
export function nodesOf(command: Command, path: readonly string[] = []): readonly Node[] {
  const { commands } = command;
  const [argument] = command.registeredArguments;
  const node: Node = {
    path,
    commands: commands.map((one) => ({ name: one.name(), about: firstSentence(one.description()) })),
    flags: [...command.options.map(flagOf), { name: '--help', about: 'show the help', takes: NOTHING }],
    takes:
      argument === undefined
        ? NOTHING
        : argument.argChoices === undefined
          ? { kind: argument.name() === 'dir' ? 'directory' : 'text' }
          : { kind: 'words', words: argument.argChoices },
  };
  return [node, ...commands.flatMap((one) => nodesOf(one, [...path, one.name()]))];
}

const NOTHING: Taken = { kind: 'nothing' };

function flagOf(option: Option): Flag {
  return { name: option.long ?? '', about: firstSentence(option.description), takes: takenBy(option) };
}

function takenBy(option: Option): Taken {
  if (!option.required && !option.optional) return NOTHING;
  if (option.argChoices !== undefined) return { kind: 'words', words: option.argChoices };
  if (!(option instanceof SettingOption))
    return { kind: /^--(config|.*-file)$/.test(option.long ?? '') ? 'file' : 'text' };
  const { choices, type, path } = option.leaf;
  if (type === 'boolean') return { kind: 'words', words: ['true', 'false'] };
  if (choices !== null) return { kind: 'words', words: choices };
  if (/file$/i.test(path)) return { kind: 'file' };
  return { kind: /dir$/i.test(path) ? 'directory' : 'text' };
}

/** Short enough for a list of choices, and on one line. */
function firstSentence(text: string): string {
  const [sentence = ''] = text.split(/[;:.](?:\s|$)/);
  return sentence.replaceAll(/\s+/g, ' ').slice(0, 100);
}
