/** `holdfast demo` as a person runs it: real processes that die, come back, and all end with it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { chaosSchema } from '../../src/protocol/api.ts';
import { journalStats } from '../support/agent.ts';
import { built, node, type Running, root, run } from '../support/holdfast.ts';
import { getJson, ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { childrenOf, isAlive } from '../support/process-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const AGENTS = ['agent-1', 'agent-2', 'agent-3'];

/** Starts a demo; whatever it starts is ended with the test, also when the demo fails to. */
function startDemo(
  dataDir: string,
  args: readonly string[],
): Running & { readonly children: () => number[] } {
  const demo = run(['demo', '--data-dir', dataDir, ...args]);
  const seen = new Set<number>();
  const children = () => {
    const now = childrenOf(demo.pid).map(({ pid }) => pid);
    for (const pid of now) seen.add(pid);
    return now;
  };
  onTestFinished(() => {
    for (const pid of seen) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { ...demo, children };
}

function addressOf(demo: Running): Promise<string> {
  return until('the address of the dashboard', () => {
    if (demo.process.exitCode !== null) throw new Error(`the demo ended: ${demo.stderr.join('\n')}`);
    return demo.stdout
      .map((line) => /dashboard +(http:\S+)/.exec(line)?.[1])
      .find((url) => url !== undefined);
  });
}

/** Process that runs `hq` or an agent. */
function processOf(demo: Running, name: string): number | undefined {
  const wanted = name === 'hq' ? 'hq' : name;
  // Its title is one text.
  return childrenOf(demo.pid).find(({ args }) => args.join(' ').split(' ').includes(wanted))?.pid;
}

const states = async (url: string) =>
  z
    .object({ items: z.array(z.object({ id: z.string(), state: z.string(), stored: z.number() })) })
    .parse(await getJson(`${url}/api/v1/agents`)).items;

/** Waits until every agent is live and has more at HQ than it had. */
async function untilAllLive(url: string): Promise<void> {
  const before = await until('HQ to answer', () => states(url));
  await until('three agents to be live', async () => {
    const now = await states(url);
    return AGENTS.every((id) =>
      now.some(
        (agent) =>
          agent.id === id &&
          agent.state === 'live' &&
          agent.stored > (before.find((one) => one.id === id)?.stored ?? 0),
      ),
    );
  });
}

describe('the demo', () => {
  it('shows three agents live, restarts what is killed, loses nothing, and ends whole with Ctrl-C', async () => {
    const dataDir = temporaryFolder();
    const demo = startDemo(dataDir, ['--port', '0', '--chaos', 'off']);
    const url = await addressOf(demo);
    await untilAllLive(url);
    const page = await fetch(url);
    expect(page.status).toBe(200);

    for (const name of ['agent-2', 'hq']) {
      const before = await until(`the process of ${name}`, () => processOf(demo, name));
      process.kill(before, 'SIGKILL');
      await until(`${name} to be started again`, () => {
        const now = processOf(demo, name);
        return now !== undefined && now !== before;
      });
      // The same address as before, also for HQ.
      await untilAllLive(url);
      expect(demo.stdout.join('\n')).toContain(`${name} ended (SIGKILL); starting it again`);
    }
    await until('nothing to be pending', async () => {
      const summaries = await Promise.all(AGENTS.map((id) => summaryOf(url, id)));
      return summaries.every(({ state, pending }) => state === 'live' && pending <= 10);
    });

    const children = demo.children();
    expect(children).toHaveLength(4);
    expect(await demo.end('SIGINT')).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);

    const hq = await startHqProcess(join(dataDir, 'hq'), built);
    for (const id of AGENTS) {
      const journal = await journalStats(join(dataDir, id), built);
      expect(journal.pending, `${id} has delivered everything`).toBe(0);
      const [entry, ...others] = await ledgerOf(hq.url, id);
      expect(others).toEqual([]);
      expect(entry).toMatchObject({
        epoch: journal.epoch,
        sampled: journal.sampled,
        stored: journal.sampled,
        contiguous: journal.sampled,
        pending: 0,
        thinned: {},
        dropped: {},
        gaps: [],
      });
    }
  });

  it('takes its processes with it when it is killed itself; by default it breaks the link at random', async () => {
    const dataDir = temporaryFolder();
    const demo = startDemo(dataDir, ['--port', '0']);
    const url = await addressOf(demo);
    await until('all processes', () => demo.children().length === 4);
    expect(chaosSchema.parse(await getJson(`${url}/api/v1/chaos`))).toMatchObject({
      mode: 'random',
      enabled: true,
    });
    const children = demo.children();
    expect(await demo.end('SIGKILL')).toBe('SIGKILL');
    await until('every process to end by itself', () => !children.some(isAlive));
  });

  it('ends with npm, whose signal reaches no more than the shell that npm runs it in', async () => {
    const command = `"${node}" bin/holdfast.js demo --port 0 --data-dir "${temporaryFolder()}"; true`;
    const shell = run(['-c', command], { command: 'sh', cwd: root, env: { npm_command: 'run-script' } });
    const processes = await until('all processes', () => {
      const [demo] = childrenOf(shell.pid);
      const children = demo === undefined ? [] : childrenOf(demo.pid);
      return children.length === 4 && [demo, ...children].flatMap((one) => one?.pid ?? []);
    });
    onTestFinished(() => {
      for (const pid of processes) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    });
    shell.process.kill('SIGTERM');
    await until('every process to end by itself', () => !processes.some(isAlive));
  });

  it('ends at once with Ctrl-C while HQ is still starting', async () => {
    const demo = startDemo(temporaryFolder(), ['--port', '0']);
    const [hq] = await until(
      'HQ to be started',
      () => {
        const children = demo.children();
        return children.length > 0 && children;
      },
      { everyMs: 1 },
    );
    expect(await demo.end('SIGINT')).toBe(0);
    expect(isAlive(hq ?? 0)).toBe(false);
  });

  it('says what to do when its port is taken, and leaves nothing behind', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const demo = startDemo(temporaryFolder(), ['--port', String(port)]);
    const [hq] = await until(
      'HQ to be started',
      () => {
        const children = demo.children();
        return children.length > 0 && children;
      },
      { everyMs: 1 },
    );
    expect(await demo.ended).toBe(1);
    expect(demo.stderr.join('\n')).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(demo.stdout.join('\n')).not.toContain('starting it again');
    expect(isAlive(hq ?? 0)).toBe(false);
  });
});
