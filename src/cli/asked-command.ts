/** Name of the command that a command line asks for, or asks for help on; undefined when it names none. */
export function askedCommand(argv: readonly string[]): string | undefined {
  const [first, second] = argv.filter((argument) => !argument.startsWith('-'));
  return first === 'help' ? second : first;
}
