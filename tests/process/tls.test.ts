/** HQ behind TLS, as it stands in the field: an agent delivers, and connecting again costs few bytes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startTlsFront, TEST_CERT } from '../../src/agent/testing/tls-front.ts';
import { startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { startLink } from '../support/link.ts';
import { keepFigures } from '../support/memory.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const LINE = { bytesPerSecond: 1_250_000, delayMs: 10, queueMs: 100 };
/** Both ways, with the first sample that arrives and its answer. */
const MOST_BYTES = 3_000;
const RECONNECTIONS = 3;

it('delivers over TLS, resumes its session, and takes 3 KB to connect again', async () => {
  const folder = temporaryFolder();
  const trusted = join(folder, 'front.pem');
  writeFileSync(trusted, TEST_CERT);
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const front = await startTlsFront(Number(new URL(hq.url).port));
  const link = await startLink({ up: LINE, down: LINE, target: () => front.port });
  onTestFinished(link.close);
  const agent = startAgentProcess({
    ...built,
    id: 'edge',
    hq: `https://localhost:${link.port}`,
    dataDir: join(folder, 'edge'),
    // Seldom, so that little else comes while a busy machine looks away.
    sources: ['sim:hz=0.2,sensors=2'],
    args: [],
    env: { NODE_EXTRA_CA_CERTS: trusted },
  });
  const stored = async () =>
    (await ledgerOf(hq.url, 'edge').catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);
  const storesMoreThan = (count: number) => until('samples', async () => (await stored()) > count);
  const carried = () => {
    const { up, down } = link.state();
    return up.payloadBytes + down.payloadBytes;
  };
  await storesMoreThan(0);
  const bytes: number[] = [];
  for (let count = 0; count < RECONNECTIONS; count += 1) {
    const resumed = front.resumed();
    const before = carried();
    link.cut();
    // Not before: what was on the way is stored a moment later.
    await until('a resumed session', () => front.resumed() > resumed);
    await storesMoreThan(await stored());
    bytes.push(carried() - before);
  }
  keepFigures('tls', { reconnectBytes: bytes });
  expect(front.resumed()).toBeGreaterThanOrEqual(RECONNECTIONS);
  // A handshake was among them.
  expect(Math.min(...bytes)).toBeGreaterThan(500);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(MOST_BYTES);
  expect(await agent.end('SIGTERM')).toBe(0);
});
