import { Argument, type Command } from 'commander';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { nodesOf } from './nodes.ts';
import { zshScript } from './zsh.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `holdfast completion bash|zsh|fish` */
export function defineCompletionCommand(completion: Command): void {
  completion
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .action((shell: keyof typeof SCRIPTS) => {
      const program = completion.parent;
      if (program !== null) process.stdout.write(SCRIPTS[shell](nodesOf(program)));
    });
}
