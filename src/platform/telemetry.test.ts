import { describe, expect, it } from 'vitest';
import { type LogFields, type Logger, silentLogger } from './logger.ts';
import { createEmit, createRegistry, defineEvent } from './telemetry.ts';

const definitions = {
  frame_acked: defineEvent<{ samples: number; lane: string; rttMs: number }>({
    level: 'debug',
    message: 'HQ acked a frame',
    metrics: [
      {
        name: 'holdfast_frames_acked_total',
        kind: 'counter',
        help: 'Frames acked.',
        labelNames: ['lane'],
        labels: ({ lane }) => ({ lane }),
      },
      {
        name: 'holdfast_samples_acked_total',
        kind: 'counter',
        help: 'Samples acked.',
        value: ({ samples }) => samples,
      },
      {
        name: 'holdfast_ack_seconds',
        kind: 'histogram',
        help: 'Time to an ack.',
        value: ({ rttMs }) => rttMs / 1000,
        buckets: [0.01, 0.1],
      },
    ],
  }),
  pending_changed: defineEvent<{ pending: number }>({
    level: null,
    message: 'pending changed',
    metrics: [
      {
        name: 'holdfast_pending_samples',
        kind: 'gauge',
        help: 'Samples pending.',
        value: ({ pending }) => pending,
      },
    ],
  }),
  link_lost: defineEvent<{ reason: string }>({ level: 'warn', message: 'lost the link', metrics: [] }),
  stopped: defineEvent<{ lost: number }>({
    level: ({ lost }) => (lost > 0 ? 'warn' : 'info'),
    message: 'stopped',
    metrics: [],
  }),
};

function harness() {
  const lines: { level: string; fields: LogFields; message: string }[] = [];
  const at = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
  };
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
    missing: silentLogger.missing,
  };
  const registry = createRegistry();
  return { lines, logger, registry, emit: createEmit(definitions, { logger, registry }) };
}

describe('an internal event', () => {
  it('writes its line and moves its metrics, from one call', async () => {
    const { emit, lines, registry } = harness();
    emit({ type: 'frame_acked', samples: 10, lane: 'live', rttMs: 50 });
    emit({ type: 'frame_acked', samples: 5, lane: 'backlog', rttMs: 5 });
    expect(lines).toEqual([
      {
        level: 'debug',
        fields: { event: 'frame_acked', samples: 10, lane: 'live', rttMs: 50 },
        message: 'HQ acked a frame',
      },
      {
        level: 'debug',
        fields: { event: 'frame_acked', samples: 5, lane: 'backlog', rttMs: 5 },
        message: 'HQ acked a frame',
      },
    ]);
    const text = await registry.metrics();
    expect(text).toContain('holdfast_frames_acked_total{lane="live"} 1');
    expect(text).toContain('holdfast_frames_acked_total{lane="backlog"} 1');
    expect(text).toContain('holdfast_samples_acked_total 15');
    expect(text).toContain('holdfast_ack_seconds_bucket{le="0.01"} 1');
    expect(text).toContain('holdfast_ack_seconds_bucket{le="0.1"} 2');
    expect(text).toContain('holdfast_ack_seconds_count 2');
  });

  it('sets gauges to the latest value, and writes no line when it has no level', async () => {
    const { emit, lines, registry } = harness();
    emit({ type: 'pending_changed', pending: 7 });
    emit({ type: 'pending_changed', pending: 3 });
    expect(lines).toEqual([]);
    expect(await registry.metrics()).toContain('holdfast_pending_samples 3');
  });

  it('may have a line alone, at its own level', () => {
    const { emit, lines } = harness();
    emit({ type: 'link_lost', reason: 'timeout' });
    expect(lines).toEqual([
      { level: 'warn', fields: { event: 'link_lost', reason: 'timeout' }, message: 'lost the link' },
    ]);
  });

  it('may choose the level by its fields', () => {
    const { emit, lines } = harness();
    emit({ type: 'stopped', lost: 0 });
    emit({ type: 'stopped', lost: 2 });
    expect(lines.map(({ level }) => level)).toEqual(['info', 'warn']);
  });

  it('shares a metric between components that declare it alike', async () => {
    const { emit, logger, registry } = harness();
    const other = createEmit(definitions, { logger, registry });
    emit({ type: 'frame_acked', samples: 1, lane: 'live', rttMs: 1 });
    other({ type: 'frame_acked', samples: 2, lane: 'live', rttMs: 1 });
    expect(await registry.metrics()).toContain('holdfast_samples_acked_total 3');
  });

  it('stays apart in registries of its own', async () => {
    const [one, other] = [harness(), harness()];
    one.emit({ type: 'pending_changed', pending: 9 });
    expect(await other.registry.metrics()).not.toContain('holdfast_pending_samples 9');
  });
});
