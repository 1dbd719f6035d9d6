import { describe, expect, it } from 'vitest';
import type { LinkReport } from '../../../protocol/events.ts';
import { budgetText, catchUpText, formatBitRate, pauseText } from './link-text.ts';

const plain = (text: string | null) => text?.replaceAll('\u00a0', ' ') ?? null;
const link = (changes: Partial<LinkReport>): LinkReport => ({
  rate: null,
  minRttMs: null,
  queueMs: null,
  live: 0,
  backlog: 0,
  ...changes,
});

describe('words for a link', () => {
  it.each<[Partial<LinkReport>, string, string | null]>([
    [{}, '–', null],
    [{ caughtUpMs: null }, '–', null],
    [{ caughtUpMs: 0 }, 'caught up', null],
    [{ never: true }, 'never at this rate', null],
    [{ caughtUpMs: 249_600 }, '4 min 10 s', null],
    [
      { caughtUpMs: 250_000, caughtUpLowMs: 200_400, caughtUpHighMs: 400_000 },
      '4 min 10 s',
      '3 min 20 s to 6 min 40 s',
    ],
    [{ caughtUpMs: 250_000, caughtUpLowMs: 200_000 }, '4 min 10 s', '3 min 20 s or more'],
    [{ caughtUpMs: 12 }, '1 s', null],
  ])('forecast %o', (changes, text, band) => {
    const words = catchUpText(link(changes));
    expect([plain(words.text), plain(words.band)]).toEqual([text, band]);
  });

  it('has rates as networks are sold', () => {
    expect([0, 8_000, 1_250, 32_000_000, 1.25e9, 12.5].map((rate) => plain(formatBitRate(rate)))).toEqual([
      '0 bit/s',
      '64 kbit/s',
      '10 kbit/s',
      '256 Mbit/s',
      '10 Gbit/s',
      '100 bit/s',
    ]);
  });

  it('says why frames wait, also when it does not know the reason', () => {
    expect(pauseText('budget_day')).toBe('data budget of the day used up');
    expect(pauseText('gone_fishing')).toBe('gone fishing');
  });

  it('has what was used and is left', () => {
    const { today, month, left } = budgetText(
      link({ bytesToday: 2048, bytesMonth: 5 * 1024 ** 2, budgetLeft: 100 }),
    );
    expect([today, month, left].map(plain)).toEqual(['2 KiB', '5 MiB', '100 B']);
    expect(budgetText(link({}))).toEqual({ today: '–', month: '–', left: null });
  });
});
