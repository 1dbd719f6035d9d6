import { describe, expect, it } from 'vitest';
import { WIRE_ERROR_CODES, type WireErrorCode } from '../../protocol/events.ts';
import { FrameError } from '../../protocol/frame.ts';
import { FrameRefused, judgeFrame, Undeliverable } from './frame-verdict.ts';
import { LinkError } from './link.ts';

const POISON = { kind: 'poison', records: 'unknown' } as const;
const MISCONFIGURED = { kind: 'misconfigured', reason: 'no' } as const;

const EXPECTED: Readonly<Record<WireErrorCode, ReturnType<typeof judgeFrame>>> = {
  unavailable: { verdict: { kind: 'retry', reason: 'unavailable', afterMs: 500 }, health: 'down' },
  internal: { verdict: { kind: 'retry', reason: 'internal', afterMs: 500 }, health: 'down' },
  rate_limited: { verdict: { kind: 'retry', reason: 'rate_limited', afterMs: 500 }, health: 'up' },
  bad_frame: { verdict: { ...POISON, reason: 'bad_frame: no' }, health: 'up' },
  too_large: { verdict: { ...POISON, reason: 'too_large: no' }, health: 'up' },
  bad_request: { verdict: { ...POISON, reason: 'bad_request: no' }, health: 'up' },
  too_many_series: { verdict: { ...POISON, reason: 'too_many_series: no' }, health: 'up' },
  unsupported_version: { verdict: MISCONFIGURED, health: 'up' },
  unauthorized: { verdict: MISCONFIGURED, health: 'up' },
  duplicate_agent: { verdict: MISCONFIGURED, health: 'up' },
  forked_epoch: { verdict: MISCONFIGURED, health: 'up' },
  hello_required: { verdict: MISCONFIGURED, health: 'up' },
  unknown_schema: { verdict: MISCONFIGURED, health: 'up' },
  other_hq: { verdict: MISCONFIGURED, health: 'up' },
};

describe('what the failure of a frame means', () => {
  it.each(WIRE_ERROR_CODES)('that HQ refuses as %s', (code) => {
    const wire = { code, message: 'no', retryAfterMs: 500 };
    expect(judgeFrame(new FrameRefused(wire))).toEqual(EXPECTED[code]);
  });

  it.each([
    ['timeout', 'silent'],
    ['protocol', 'silent'],
    ['closed', 'unknown'],
    ['budget', 'up'],
  ] as const)('whose link fails as %s: no verdict, another connection may carry it', (kind, health) => {
    expect(judgeFrame(new LinkError(kind, ''))).toEqual({ verdict: null, health });
  });

  it.each([new Undeliverable('lost its schema'), new FrameError('bad_checksum', 'lost its schema')])(
    'that no connection can carry: it is poison',
    (error) => {
      expect(judgeFrame(error)).toEqual({ verdict: { ...POISON, reason: error.message }, health: 'up' });
    },
  );
});
