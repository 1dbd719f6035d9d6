import type { Diagnostic } from '../../../protocol/sample.ts';
import type { SourceEmit } from '../source.ts';
import type { Remark } from './collector.ts';

/** What the collectors of one run leave out: each episode is one log line, and one diagnostic of the next sample. */
export type Remarks = {
  readonly remark: Remark;
  /** The diagnostics of remarks that are new. */
  readonly take: () => readonly Diagnostic[];
};

export function createRemarks(source: string, emit: SourceEmit): Remarks {
  const standing = new Set<string>();
  let fresh: Diagnostic[] = [];
  return {
    remark: (collector, topic, text) => {
      const key = `${collector} ${topic}`;
      if (text === null) {
        if (standing.delete(key)) emit({ type: 'collector_complete', source, collector });
        return;
      }
      if (standing.has(key)) return;
      standing.add(key);
      emit({ type: 'collector_limited', source, collector, reason: text });
      const detail = `collector ${collector}: ${text}`;
      fresh.push({ code: 'stale', severity: 'warning', series: null, detail });
    },
    take: () => {
      if (fresh.length === 0) return fresh;
      const taken = fresh;
      fresh = [];
      return taken;
    },
  };
}
