import { expect, it } from 'vitest';
import { createTalkLevel, debtWaitMs, MAX_DEBT_MS, parseMs } from './talk-level.ts';

it('has room for what an agent with thousands of series says at first, and then for its heartbeats', () => {
  const talk = createTalkLevel();
  expect(talk.take(100 + parseMs(200_000), 0)).toBe(0);
  for (let nowMs = 1_000; nowMs < 3_600_000; nowMs += 1_000)
    expect(talk.take(1 + parseMs(300), nowMs)).toBe(0);
});

it('leaves one that has HQ work all the time a fiftieth of the processor', () => {
  const talk = createTalkLevel();
  const messageMs = 50;
  let workedMs = 0;
  for (let nowMs = 0; nowMs < 100_000; nowMs += 10) {
    if (debtWaitMs(talk.debt(nowMs)) > 0) continue;
    talk.take(messageMs, nowMs);
    workedMs += messageMs;
  }
  // What was saved up, what may be owed, and 20 ms a second.
  expect(workedMs).toBeLessThanOrEqual(500 + MAX_DEBT_MS + messageMs + 2_000);
});
