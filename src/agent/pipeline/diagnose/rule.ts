/** What a diagnostic rule is. Each rule is one file of `rules/`; `diagnose.ts` runs the table of them. */
import type { DiagnosticCode, Severity } from '../../../protocol/sample.ts';
import type { Limits } from '../../sources/source.ts';

type RuleHead = {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /**
   * A condition is reported when it begins. It has ended after this many judgements in a row to the contrary, so that a
   * value at the edge is one episode; 0: every time that it holds is reported.
   */
  readonly clearAfter: number;
};

/** Judges the values of one series in order; keeps what it needs of the past. */
export type SeriesCheck = {
  /** Whether the condition holds now; null when this value says nothing about it. */
  readonly holds: (value: number | null, mono: number) => boolean | null;
  /** For people; called right after `holds` gave true. */
  readonly detail: (value: number | null) => string;
};
export type SeriesRule = RuleHead & {
  /** A check for one series; null when its limits give nothing to judge by. */
  readonly create: (limits: Limits) => SeriesCheck | null;
};

/** What is known besides the values. */
export type SampleContext = {
  readonly ts: number;
  readonly mono: number;
  /** Why the buffer is in trouble; null when it is not. */
  readonly bufferTrouble: string | null;
};
export type SampleCheck = {
  readonly holds: (context: SampleContext) => boolean;
  readonly detail: (context: SampleContext) => string;
};
export type SampleRuleOptions = { readonly clockJumpMs: number; readonly time: 'clock' | 'recorded' };
export type SampleRule = RuleHead & { readonly create: (options: SampleRuleOptions) => SampleCheck | null };
