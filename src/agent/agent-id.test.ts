import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededIds } from '../platform/ids.ts';
import { seededRandom } from '../platform/random.ts';
import { agentIdSchema } from '../protocol/sample.ts';
import { agentIdFromHost, defaultAgentId, lastingHostName } from './agent-id.ts';

describe('agentIdFromHost', () => {
  it.each([
    ['edge-07.plant.example', 'edge-07.plant.example'],
    ['Büro Rechner', 'B-ro-Rechner'],
    ['--x', 'x'],
    ['a'.repeat(80), 'a'.repeat(64)],
    ['localhost', null],
    ['raspberrypi', null],
    ['???', null],
    ['', null],
  ])('%j → %j', (host, id) => {
    expect(agentIdFromHost(host)).toBe(id);
  });
});

describe('lastingHostName', () => {
  it.each([
    ['3f9c2b7e01ad', true, ''],
    ['3f9c2b7e01ad', false, '3f9c2b7e01ad'],
    ['holdfast-agent-x7k2p', true, 'holdfast-agent-x7k2p'],
    ['edge-1', true, 'edge-1'],
  ])('%s, in a container: %s → "%s"', (name, isContainer, lasting) => {
    expect(lastingHostName(name, isContainer)).toBe(lasting);
  });
});

describe('defaultAgentId', () => {
  let dataDir = '';
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'holdfast-id-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it('without a usable host name is random once and then stays', () => {
    const ids = seededIds(seededRandom(1));
    const first = defaultAgentId({ hostname: 'localhost', dataDir, ids, isWritable: true });
    expect(agentIdSchema.safeParse(first).success).toBe(true);
    expect(defaultAgentId({ hostname: 'localhost', dataDir, ids, isWritable: true })).toBe(first);
    expect(statSync(join(dataDir, 'agent-id')).mode & 0o777).toBe(0o600);
  });

  it('is the host name where that names a host', () => {
    const ids = seededIds(seededRandom(1));
    expect(defaultAgentId({ hostname: 'edge-1', dataDir, ids, isWritable: true })).toBe('edge-1');
  });
});
