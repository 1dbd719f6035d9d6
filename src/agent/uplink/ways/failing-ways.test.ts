import { describe, expect, it } from 'vitest';
import { LinkError, type Way } from '../link.ts';
import { createFailingWays } from './failing-ways.ts';

const [first, second, third] = [0, 1, 2].map(
  (index): Way => ({ index, url: `http://w${index}`, maxLane: 'backlog' }),
) as [Way, Way, Way];
const refused = (text: string) => new LinkError('refused', text);

function rig() {
  let now = 0;
  const told: string[] = [];
  const ways = createFailingWays(
    () => now,
    ({ way, reason, since }) => void told.push(`${way.index} ${reason} ${since}`),
  );
  const shown = () => ways.list().map(({ way, reason, since }) => `${way.index} ${reason} ${since}`);
  const at = (ms: number) => {
    now = ms;
  };
  return { ...ways, told, shown, at };
}

describe('better ways that do not work', () => {
  it('are told once a lower one works, with the latest reason and the first time', () => {
    const { failed, works, told, shown, at } = rig();
    at(5);
    failed(first, refused('no'));
    at(9);
    failed(first, refused('still no'));
    expect([told, shown()]).toEqual([[], []]);
    works(second);
    failed(first, refused('not yet'));
    works(second);
    expect(told).toEqual(['0 still no 5']);
    expect(shown()).toEqual(['0 not yet 5']);
  });

  it('begin again once they have worked', () => {
    const { failed, works, told, shown, at } = rig();
    failed(first, refused('no'));
    works(second);
    works(first);
    expect(shown()).toEqual([]);
    at(7);
    failed(first, null);
    works(second);
    expect(told).toEqual(['0 no 0', '0 HQ took nothing over it. 7']);
  });

  it('are those above the one that works', () => {
    const { failed, works, told, shown } = rig();
    failed(second, refused('b'));
    failed(first, refused('a'));
    works(third);
    expect([told, shown()]).toEqual([
      ['0 a 0', '1 b 0'],
      ['0 a 0', '1 b 0'],
    ]);
    works(second);
    expect(shown()).toEqual(['0 a 0']);
    works(third);
    expect(shown()).toEqual(['0 a 0']);
    expect(told.length).toBe(2);
  });
});
