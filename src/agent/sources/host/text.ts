/**
 * Numbers out of the kernel's text files. Built on searches and slices, which are machine code also in an agent whose
 * JavaScript is interpreted.
 */

/** The numbers of a line, between any number of blanks. */
export function numbersIn(line: string): readonly number[] {
  return line.trim().split(/\s+/).map(Number);
}

/**
 * The number behind `label` at the start of a line, such as `processes 4242` or `MemTotal: 1000 kB`; undefined when
 * there is none.
 */
export function numberAfter(text: string, label: string): number | undefined {
  let start = 0;
  if (!text.startsWith(label)) {
    start = text.indexOf(`\n${label}`) + 1;
    if (start === 0) return undefined;
  }
  start += label.length;
  const end = text.indexOf('\n', start);
  const number = Number.parseInt(text.slice(start, end < 0 ? undefined : end), 10);
  return Number.isNaN(number) ? undefined : number;
}
