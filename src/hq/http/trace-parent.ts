/** The header `traceparent` of W3C Trace Context: whose request led to this one. */

export type TraceParent = {
  /** As it came. */
  readonly traceparent: string;
  readonly traceId: string;
  /** Whether the caller records the trace. */
  readonly sampled: boolean;
};

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null where there is none, or one that the standard says to ignore. */
export function traceParent(header: string | readonly string[] | undefined): TraceParent | null {
  if (typeof header !== 'string' || header.length > 512) return null;
  const [traceparent, version, traceId = '', parent = '', flags = '', rest] = FORM.exec(header.trim()) ?? [];
  if (traceparent === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(parent)) return null;
  return { traceparent, traceId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
