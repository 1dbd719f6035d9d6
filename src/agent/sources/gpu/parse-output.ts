/** Reads what `nvidia-smi --query-gpu=… --format=csv,nounits` prints: a header, and a line for each GPU. */

/** What one GPU says, by field. */
export type GpuLine = ReadonlyMap<string, string>;

/** Names in the header have their unit behind them: `memory.used [MiB]`. */
const UNIT = /\s*\[[^\]]*\]$/;
const MAX_SHOWN = 200;

/** Throws an Error when the output is another than was asked for. */
export function parseOutput(output: string, fields: readonly string[]): readonly GpuLine[] {
  const [header = '', ...rows] = output.split(/\r?\n/).filter((line) => line.trim() !== '');
  const names = header.split(',').map((name) => name.trim().replace(UNIT, ''));
  if (names.length !== fields.length || names.some((name, index) => name !== fields[index]))
    throw new Error(`nvidia-smi prints other columns than it was asked for: ${shown(output)}`);
  return rows.map((row) => {
    const cells = row.split(',').map((cell) => cell.trim());
    if (cells.length !== names.length)
      throw new Error(
        `nvidia-smi prints a line with ${cells.length} cells in place of ${names.length}: ${shown(row)}`,
      );
    return new Map(names.map((name, index) => [name, cells[index] ?? '']));
  });
}

/** Null: the GPU has no such thing. Undefined: it could not tell. */
export function parseValue(cell: string): number | null | undefined {
  if (/^-?\d+(\.\d+)?$/.test(cell)) return Number(cell);
  return /^\[?(n\/a|not supported|not available)\]?$/i.test(cell) ? null : undefined;
}

/** The field that this driver does not know; null where the output speaks of something else. */
export function unknownField(output: string): string | null {
  return /Field "([^"]+)" is not a valid field to query/.exec(output)?.[1] ?? null;
}

/** The beginning of what a program prints, on one line. */
export function shown(output: string): string {
  const text = output.trim().replaceAll(/\s+/g, ' ');
  if (text === '') return 'it prints nothing';
  return `\`${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}\``;
}
