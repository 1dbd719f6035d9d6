/** Looks at processes through /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export type ProcessFacts = { readonly pid: number; readonly args: readonly string[] };

/** Whether the process exists and has not ended; one that nobody has waited for yet has ended. */
export function isAlive(pid: number): boolean {
  const facts = statOf(pid);
  return facts !== null && facts.state !== 'Z' && facts.state !== 'X';
}

/** Processes that `pid` has started and that are alive. */
export function childrenOf(pid: number): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => statOf(one)?.parent === pid && isAlive(one))
    .map((one) => ({ pid: one, args: argsOf(one) }));
}

function argsOf(pid: number): readonly string[] {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0').slice(0, -1);
}

function statOf(pid: number): { readonly state: string; readonly parent: number } | null {
  // The name in brackets may itself hold brackets and spaces.
  const match = /^.*\) (\S) (\d+) /s.exec(readIfThere(`/proc/${pid}/stat`) ?? '');
  return match === null ? null : { state: match[1] ?? '', parent: Number(match[2]) };
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
