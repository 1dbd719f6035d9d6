/** What a person mends and waits to see mended: how soon it is tried again, whatever the preset. */
import { expect, it } from 'vitest';
import { PRESETS } from '../../src/agent/presets.ts';
import { LinkError } from '../../src/agent/uplink/link.ts';
import { createRig, refusal } from './uplink-rig.ts';

const MINUTE_MS = 60_000;
const gapsOf = (connects: readonly number[]) =>
  connects.slice(1).map((at, index) => at - (connects[index] ?? 0));

it.each(Object.keys(PRESETS) as (keyof typeof PRESETS)[])(
  'a token that HQ refuses, or that no file holds, is looked at again within a minute with preset %s',
  (preset) => {
    for (const kind of ['unauthorized', 'token_file'] as const) {
      const settings = { ...PRESETS[preset].uplink };
      const rig = createRig({ connect: () => new LinkError(kind, 'no') }, settings);
      rig.start();
      rig.run(60 * MINUTE_MS);
      expect(rig.connects.length).toBeGreaterThan(60);
      expect(Math.max(...gapsOf(rig.connects))).toBeLessThanOrEqual(MINUTE_MS);
      expect(rig.logs('link_down')).toHaveLength(1);
    }
  },
);

it.each(Object.keys(PRESETS) as (keyof typeof PRESETS)[])(
  'a hello that HQ refuses for its token is said again within a minute with preset %s',
  (preset) => {
    const rig = createRig({ hello: () => refusal('unauthorized') }, { ...PRESETS[preset].uplink });
    rig.start();
    rig.run(60 * MINUTE_MS);
    expect(rig.connects.length).toBeGreaterThan(60);
    expect(Math.max(...gapsOf(rig.connects))).toBeLessThanOrEqual(MINUTE_MS);
  },
);

it('a dead link of a patient preset is not looked at more often for that', () => {
  const rig = createRig({ connect: () => new LinkError('refused', 'no') }, { ...PRESETS.satellite.uplink });
  rig.start();
  rig.run(24 * 60 * MINUTE_MS);
  expect(Math.max(...gapsOf(rig.connects))).toBeGreaterThan(10 * MINUTE_MS);
});

it('a token that one way refuses is looked at again as soon where the next way is dead', () => {
  const connect = (connection: number) =>
    connection % 2 === 1
      ? new LinkError('unauthorized', 'no', { isElsewhere: true })
      : new LinkError('refused', 'no');
  const rig = createRig({ connect }, { ...PRESETS.satellite.uplink });
  rig.start();
  rig.run(60 * MINUTE_MS);
  expect(Math.max(...gapsOf(rig.connects))).toBeLessThanOrEqual(MINUTE_MS);
});
