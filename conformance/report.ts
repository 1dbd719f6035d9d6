/** Requirements, what became of each, and the lines that say so. */
export type Level = 'MUST' | 'SHOULD' | 'MAY';

export type Requirement = {
  /** Unique, with the part that it is of: `hello.version`. */
  readonly id: string;
  readonly level: Level;
  /** What is required, as a sentence. */
  readonly text: string;
};

export type Outcome =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly expected: string; readonly got: string }
  | { readonly kind: 'skip'; readonly reason: string };

/** Thrown by a check: the requirement is not met. */
export class Unmet extends Error {
  readonly expected: string;
  readonly got: string;
  constructor(expected: string, got: unknown) {
    super(`expected ${expected}, got ${shown(got)}`);
    this.expected = expected;
    this.got = shown(got);
  }
}

/** Thrown by a check: it cannot be said. */
export class Skipped extends Error {}

const MAX_SHOWN = 600;

export function shown(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, MAX_SHOWN);
  if (value instanceof Error) return value.message.slice(0, MAX_SHOWN);
  return (JSON.stringify(value) ?? String(value)).slice(0, MAX_SHOWN);
}

export function expectThat(holds: boolean, expected: string, got: unknown): asserts holds {
  if (!holds) throw new Unmet(expected, got);
}

export type Report = {
  readonly tell: (requirement: Requirement, outcome: Outcome) => void;
  /** Runs a check and tells what became of it. */
  readonly run: (requirement: Requirement, check: () => Promise<unknown> | unknown) => Promise<void>;
  /** The last line; returns whether nothing that must be is missing. */
  readonly end: () => boolean;
};

/** `SHOULD` that is not met is a warning. */
export function createReport(print: (line: string) => void): Report {
  const counts = { passed: 0, failed: 0, warnings: 0, skipped: 0 };
  const tell: Report['tell'] = ({ id, level, text }, outcome) => {
    const isWarning = outcome.kind === 'fail' && level !== 'MUST';
    const word = isWarning ? 'warn' : outcome.kind;
    print(`${word} ${level.padEnd(6)} ${id.padEnd(26)} ${text}`);
    if (outcome.kind === 'pass') counts.passed += 1;
    else if (outcome.kind === 'skip') {
      counts.skipped += 1;
      print(`     skipped: ${outcome.reason}`);
    } else {
      counts[isWarning ? 'warnings' : 'failed'] += 1;
      print(`     expected ${outcome.expected}`);
      print(`     got      ${outcome.got}`);
    }
  };
  return {
    tell,
    run: async (requirement, check) => {
      try {
        await check();
        tell(requirement, { kind: 'pass' });
      } catch (error) {
        if (error instanceof Skipped) tell(requirement, { kind: 'skip', reason: error.message });
        else if (error instanceof Unmet) tell(requirement, { kind: 'fail', ...error });
        else tell(requirement, { kind: 'fail', expected: 'no failure', got: shown(error) });
      }
    },
    end: () => {
      const { passed, failed, warnings, skipped } = counts;
      print(`${passed} passed, ${failed} failed, ${warnings} warnings, ${skipped} skipped`);
      return failed === 0 && passed > 0;
    },
  };
}
