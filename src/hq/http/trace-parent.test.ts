import { expect, it } from 'vitest';
import { traceParent } from './trace-parent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

it.each([
  [`00-${TRACE}-${PARENT}-01`, { traceId: TRACE, sampled: true }],
  [`00-${TRACE}-${PARENT}-00`, { traceId: TRACE, sampled: false }],
  [`cc-${TRACE}-${PARENT}-01-what-the-future-adds`, { traceId: TRACE, sampled: true }],
  [`00-${TRACE}-${PARENT}-01-more`, null],
  [`ff-${TRACE}-${PARENT}-01`, null],
  [`00-${'0'.repeat(32)}-${PARENT}-01`, null],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, null],
  [`00-${TRACE.toUpperCase()}-${PARENT}-01`, null],
  ['00-abc', null],
  ['', null],
  [undefined, null],
])('%s', (header, expected) => {
  const found = traceParent(header);
  if (expected === null) expect(found).toBeNull();
  else expect(found).toEqual({ traceparent: header, ...expected });
});
