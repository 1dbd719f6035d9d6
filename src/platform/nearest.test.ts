import { expect, it } from 'vitest';
import { nearestName } from './nearest.ts';

const PRESETS = ['lan', 'lte', 'satellite', 'at-sea', 'remote-edge', 'multi-cloud'];

it.each([
  ['satelite', 'satellite'],
  ['sat', 'satellite'],
  ['Remote', 'remote-edge'],
  ['lam', 'lan'],
  ['tle', 'lte'],
  ['al', null],
  ['xyz', null],
  ['cellular', null],
])('takes %s for %s', (name, meant) => expect(nearestName(name, PRESETS)).toBe(meant));

it('does not choose among several that begin so, and takes a whole name for itself', () => {
  expect(nearestName('drop', ['drop-oldest', 'drop-newest', 'block'])).toBeNull();
  expect(nearestName('hq', ['hq', 'hqs'])).toBe('hq');
  expect(nearestName('source', ['sources', 'source'])).toBe('source');
});
