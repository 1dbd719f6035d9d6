/**
 * Samples that a client has not been sent yet. While it takes what it is sent they are all kept, in order; once it does
 * not, or there are too many, only the newest of each source.
 */
import type { LiveSample } from './live-samples.ts';
import type { StreamFilter } from './stream-filter.ts';

export type PendingSamples = {
  readonly add: (sample: LiveSample) => void;
  /** Leaves the newest of each source. */
  readonly conflate: () => void;
  /** The next message; null when there is nothing to send. */
  readonly take: () => string | null;
};

/** Samples of one client at most. */
export const MAX_PENDING = 2_000;
/** Roughly, of one message. */
const MESSAGE_CHARS = 512 * 1024;

export function createPendingSamples(
  filter: StreamFilter,
  onTaken: (samples: number, skipped: number) => void,
): PendingSamples {
  let samples: LiveSample[] = [];
  let skipped = 0;
  const conflate = () => {
    const newest = new Map<string, LiveSample>();
    for (const sample of samples) {
      const key = `${sample.agent}\n${sample.source}`;
      // Behind those that are older.
      newest.delete(key);
      newest.set(key, sample);
    }
    skipped += samples.length - newest.size;
    samples = [...newest.values()];
    // More sources than a client may have pending: the oldest go.
    if (samples.length <= MAX_PENDING / 2) return;
    const over = samples.length - MAX_PENDING / 2;
    skipped += over;
    samples = samples.slice(over);
  };
  return {
    add: (sample) => {
      if (sample.json(filter) === null) return;
      samples.push(sample);
      if (samples.length >= MAX_PENDING) conflate();
    },
    conflate,
    take: () => {
      if (samples.length === 0) return null;
      const texts: string[] = [];
      let chars = 0;
      for (const sample of samples) {
        const text = sample.json(filter) ?? '';
        if (texts.length > 0 && chars + text.length > MESSAGE_CHARS) break;
        texts.push(text);
        chars += text.length;
      }
      samples = samples.slice(texts.length);
      onTaken(texts.length, skipped);
      const message = `{"type":"samples","skipped":${skipped},"samples":[${texts.join(',')}]}`;
      skipped = 0;
      return message;
    },
  };
}
