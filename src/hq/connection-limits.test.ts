import { describe, expect, it } from 'vitest';
import { hqConfigSchema } from './config.ts';
import { connectionLimits } from './connection-limits.ts';

const limits = (settings: Record<string, number>, openFiles: number) =>
  connectionLimits(hqConfigSchema.parse({ limits: settings }).limits, openFiles);

describe('connectionLimits', () => {
  it('leaves half of all to other addresses, however few files there are', () => {
    expect(limits({}, Number.POSITIVE_INFINITY)).toEqual({ max: 20_000, maxPerAddress: 10_000 });
    expect(limits({}, 1024)).toEqual({ max: 960, maxPerAddress: 480 });
    expect(limits({ maxConnections: 100 }, 1024)).toEqual({ max: 100, maxPerAddress: 50 });
    expect(limits({}, 32)).toEqual({ max: 1, maxPerAddress: 1 });
  });

  it('takes a setting at its word, up to what HQ takes in all', () => {
    expect(limits({ maxConnectionsPerAddress: 900 }, 1024)).toEqual({ max: 960, maxPerAddress: 900 });
    expect(limits({ maxConnectionsPerAddress: 5_000 }, 1024)).toEqual({ max: 960, maxPerAddress: 960 });
    expect(limits({ maxConnectionsPerAddress: 16 }, 1024)).toEqual({ max: 960, maxPerAddress: 16 });
  });
});
