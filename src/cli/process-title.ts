/** Flags whose value is nobody's business. */
const SECRET = /^--[a-z-]*token$/;

/**
 * What `ps`, `top` and `pgrep holdfast` show of a process instead of `node`: its command line, without tokens. Where
 * the command line itself holds one, others can read it only until the title is set.
 */
export function processTitle(argv: readonly string[]): string {
  const words = argv.map((word, index) => {
    const [flag = ''] = word.split('=', 1);
    if (word.includes('=') && SECRET.test(flag)) return `${flag}=…`;
    return SECRET.test(argv[index - 1] ?? '') ? '…' : word;
  });
  return ['holdfast', ...words].join(' ');
}
