/** Cells that could not be read: each costs its value, and is counted by column. */
export type UnreadableCells = {
  readonly add: (line: number, column: string, text: string) => void;
  /** What has come since the last call; null: nothing. */
  readonly take: () => UnreadableReport | null;
};

export type UnreadableReport = {
  readonly counts: ReadonlyMap<string, number>;
  /** The first ones. */
  readonly shown: readonly { readonly line: number; readonly column: string; readonly text: string }[];
};

/** Of one report. */
const MAX_SHOWN = 10;

export function createUnreadableCells(): UnreadableCells {
  let counts = new Map<string, number>();
  let shown: { readonly line: number; readonly column: string; readonly text: string }[] = [];
  return {
    add: (line, column, text) => {
      counts.set(column, (counts.get(column) ?? 0) + 1);
      if (shown.length < MAX_SHOWN) shown.push({ line, column, text });
    },
    take: () => {
      if (counts.size === 0) return null;
      const report = { counts, shown };
      counts = new Map();
      shown = [];
      return report;
    },
  };
}
