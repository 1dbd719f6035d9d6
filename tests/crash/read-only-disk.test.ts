/** A disk that cannot be written, from the start or from some moment on, under a real agent. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentStatus, impatient, journalStats, startAgentProcess } from '../support/agent.ts';
import { built, type Running } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess, summaryOf } from '../support/hq.ts';
import { expectWithin } from '../support/long.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { buildShim, haveCompiler } from './build-shim.ts';

const KIBIBYTE = 1024;
const MEBIBYTE = 2 ** 20;
const FULL = 'the disk is full. Free some space on it, or choose another data directory.';
/** Of pino's levels. */
const WARN = 40;
const SOURCES = ['sim:hz=20,sensors=2,seed=7'];
const DEGRADED_MS = 2_000;
const MAX_UNCOMMITTED = 20_000;
/** Some thousands of samples a second, no two alike, whether or not there is room. */
const FLOOD = Array.from({ length: 8 }, (_, index) => `sim:hz=1000,sensors=8,seed=${index},name=s${index}`);

/** The lines of an event that the agent logged. */
const logged = (agent: Running, event: string) =>
  agent.stderr.filter((line) => line.includes(`"event":"${event}"`));

function ask(agent: Running, path: string): Promise<Response> {
  const url = /"url":"([^"]+)"/.exec(logged(agent, 'health_listening')[0] ?? '')?.[1];
  return fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
}

async function metricsOf(agent: Running): Promise<string> {
  return (await ask(agent, '/metrics')).text();
}

async function readyOf(agent: Running) {
  const response = await ask(agent, '/readyz');
  return { status: response.status, text: await response.text() };
}

/** HQ and the dashboard are told by the heartbeat. */
const untilHqSays = (url: string, state: string) =>
  until(`HQ to call the agent ${state}`, async () => (await summaryOf(url, 'edge')).state === state);

/** Polls from now on; how long it took the agent to call itself degraded, ms. */
async function timeToDegraded(agent: Running, begun: number): Promise<number> {
  await until('the agent to be degraded', async () => (await agentStatus(agent))?.state === 'degraded');
  return performance.now() - begun;
}

/** An agent the disk of which fails as the file `fault` says, and its HQ. */
async function startWithFaults(sources: readonly string[]) {
  const folder = temporaryFolder();
  const [dataDir, fault] = [join(folder, 'edge'), join(folder, 'fault')];
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const agent = startAgentProcess({
    ...built,
    id: 'edge',
    hq: hq.url,
    dataDir,
    sources,
    env: {
      LD_PRELOAD: buildShim(folder),
      CRASH_SHIM_DATA: join(dataDir, 'data.mdb'),
      CRASH_SHIM_ACKS: join(folder, 'acks'),
      CRASH_SHIM_FAULT: fault,
    },
  });
  return { hq, agent, dataDir, fault };
}

/** Whether each sample that a source gave is committed, waits in memory, or is counted as discarded. */
function isExact(status: Awaited<ReturnType<typeof agentStatus>>): boolean {
  if (status?.pipeline == null) return false;
  const { sources, commit } = status.pipeline;
  const given = sources.reduce((sum, { samples }) => sum + samples, 0);
  return given === commit.committed + commit.uncommitted + commit.discarded;
}

/** Every seq of an epoch at HQ is stored, from 1 on. */
async function expectWhole(url: string, epoch: string): Promise<number> {
  const samples = (await allSamples(url, 'edge')).filter((sample) => sample.epoch === epoch);
  const seqs = samples.map(({ seq }) => seq).sort((a, b) => a - b);
  expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  return seqs.length;
}

describe.skipIf(!haveCompiler)(
  `a disk that turns read-only${haveCompiler ? '' : ' (skipped: needs cc)'}`,
  () => {
    it('holds the samples in memory, says so within 2 s, and loses none once it can be written again', async () => {
      const { hq, agent, fault } = await startWithFaults(SOURCES);
      await until('the agent to be live', async () => (await agentStatus(agent))?.state === 'live');
      const before = (await agentStatus(agent))?.journal?.sampled ?? 0;
      expect(await readyOf(agent)).toEqual({ status: 200, text: 'ready\n' });

      writeFileSync(fault, 'readonly');
      expectWithin(await timeToDegraded(agent, performance.now()), DEGRADED_MS);
      await untilHqSays(hq.url, 'degraded');
      expect((await summaryOf(hq.url, 'edge')).alarm).toMatchObject({
        kind: 'agent_disk',
        detail: expect.stringContaining('it takes no writes'),
      });
      const waiting = await until('samples to wait', async () => {
        const now = await agentStatus(agent);
        return (now?.pipeline?.commit.uncommitted ?? 0) >= 40 && now;
      });
      expect(logged(agent, 'commit_failing')).toHaveLength(1);
      expect(waiting.troubles.map(({ what }) => what)).toContain('The journal takes no samples');
      expect(await metricsOf(agent)).toMatch(/^holdfast_agent_commit_failures_total [1-9]/m);
      expect(waiting.journal?.disk).toBe('failing');
      expect(await readyOf(agent)).toMatchObject({
        status: 503,
        text: expect.stringContaining('takes no samples'),
      });
      expect(await (await ask(agent, '/')).text()).toContain('<th>Disk</th><td>failing: ');
      expect(await metricsOf(agent)).toMatch(/^holdfast_agent_disk_failing 1$/m);

      rmSync(fault);
      const well = await until('the agent to be live again, and what waited to be sampled', async () => {
        const now = await agentStatus(agent);
        return now?.state === 'live' && (now.journal?.sampled ?? 0) >= before + 40 && now;
      });
      expect(well.pipeline?.commit.discarded).toBe(0);
      await until('the alarm to end', async () => (await summaryOf(hq.url, 'edge')).alarm === null);
      expect(well.journal?.disk).toBe('good');
      expect(await readyOf(agent)).toEqual({ status: 200, text: 'ready\n' });
      expect(await metricsOf(agent)).toMatch(/^holdfast_agent_disk_failing 0$/m);
      expect(await agent.end('SIGTERM')).toBe(0);
      const [entry, ...others] = await ledgerOf(hq.url, 'edge');
      if (entry === undefined) throw new Error('HQ has no ledger of the agent');
      expect(others).toEqual([]);
      expect(entry).toMatchObject({ pending: 0, dropped: {}, stored: entry.sampled });
      expect(await expectWhole(hq.url, entry.epoch)).toBe(entry.sampled);
    });

    it('says how many samples are lost when the agent is stopped before it can be written again', async () => {
      const { hq, agent, dataDir, fault } = await startWithFaults(SOURCES);
      await until('the agent to be live', async () => (await agentStatus(agent))?.state === 'live');
      writeFileSync(fault, 'readonly');
      await until(
        'samples to wait',
        async () => ((await agentStatus(agent))?.pipeline?.commit.uncommitted ?? 0) >= 40,
      );
      agent.process.kill('SIGTERM');
      const stopping = await until('it to sample no more', async () => {
        const now = await agentStatus(agent);
        return now?.state === 'stopping' && now;
      });
      expect(await agent.ended).toBe(0);

      expect(isExact(stopping)).toBe(true);
      const { uncommitted = 0, committed } = stopping.pipeline?.commit ?? {};
      expect(uncommitted).toBeGreaterThanOrEqual(40);
      const stopped: unknown[] = logged(agent, 'agent_stopped').map((line) => JSON.parse(line));
      expect(stopped).toMatchObject([{ level: WARN, uncommitted, discarded: 0, clean: false }]);
      expect(agent.stderr.at(-1)).toBe(
        `holdfast: ${uncommitted} samples could not be committed to the journal and are lost`,
      );
      const [entry] = await ledgerOf(hq.url, 'edge');
      expect(entry?.stored, 'the others are at HQ').toBe(committed);
      expect(await journalStats(dataDir, built)).toMatchObject({ sampled: committed });
    });

    it('says how many samples are lost when a second signal ends the agent at once', async () => {
      const { agent, fault } = await startWithFaults(SOURCES);
      await until('the agent to be live', async () => (await agentStatus(agent))?.state === 'live');
      writeFileSync(fault, 'readonly');
      await until(
        'samples to wait',
        async () => ((await agentStatus(agent))?.pipeline?.commit.uncommitted ?? 0) >= 40,
      );
      agent.process.kill('SIGTERM');
      const stopping = await until('it to sample no more', async () => {
        const now = await agentStatus(agent);
        return now?.state === 'stopping' && now;
      });
      expect(await agent.end('SIGTERM')).toBe(130);
      expect(agent.stderr.at(-1)).toBe(
        `holdfast: ${stopping.pipeline?.commit.uncommitted} samples could not be committed to the journal and are lost`,
      );
    });

    it('holds 20,000 samples in memory at most, counts each that falls out, and delivers the others once it can be written again', async () => {
      const { hq, agent, fault } = await startWithFaults(FLOOD);
      const status = () => agentStatus(agent);
      await until('samples to be delivered', async () => ((await status())?.journal?.acked ?? 0) > 2_000);
      writeFileSync(fault, 'readonly');
      let most = 0;
      const discarding = await until('samples to fall out', async () => {
        const now = await status();
        most = Math.max(most, now?.pipeline?.commit.uncommitted ?? 0);
        return (now?.pipeline?.commit.discarded ?? 0) >= 2_000 && now;
      });
      expect(most, 'the bound is reached, and kept').toBe(MAX_UNCOMMITTED);
      expect(discarding).toMatchObject({
        state: 'degraded',
        journal: { disk: 'failing' },
        pipeline: { commit: { uncommitted: MAX_UNCOMMITTED } },
      });
      expect(isExact(discarding), 'each is committed, waits or is counted').toBe(true);
      expect(discarding.troubles.map(({ what }) => what)).toContain('The journal takes no samples');
      expect(logged(agent, 'discarding')).toHaveLength(1);
      await untilHqSays(hq.url, 'degraded');

      rmSync(fault);
      const well = await until('the agent to be live again, and what waited to be delivered', async () => {
        const now = await status();
        const waits = now?.pipeline?.commit.uncommitted ?? MAX_UNCOMMITTED;
        const acked = now?.journal?.acked ?? 0;
        const kept = (discarding.journal?.sampled ?? 0) + MAX_UNCOMMITTED;
        return now?.state === 'live' && waits < MAX_UNCOMMITTED / 10 && acked >= kept && now;
      });
      await until('the counts to agree again', async () => isExact(await status()));
      const discarded = well.pipeline?.commit.discarded ?? 0;
      const recovered: unknown = JSON.parse(logged(agent, 'commit_recovered')[0] ?? '{}');
      expect(recovered).toMatchObject({ discarded });
      const counter = new RegExp(`^holdfast_agent_samples_discarded_total ${discarded}$`, 'm');
      expect(await metricsOf(agent)).toMatch(counter);
      expect(await agent.end('SIGTERM')).toBe(0);
      const stopped: unknown = JSON.parse(logged(agent, 'agent_stopped')[0] ?? '{}');
      expect(stopped).toMatchObject({ uncommitted: 0, discarded, clean: true });
      const [entry, ...others] = await ledgerOf(hq.url, 'edge');
      if (entry === undefined) throw new Error('HQ has no ledger of the agent');
      expect(others).toEqual([]);
      expect(entry).toMatchObject({ pending: 0, dropped: {}, stored: entry.sampled });
      expect(await expectWhole(hq.url, entry.epoch)).toBe(entry.sampled);
      const told = (await allSamples(hq.url, 'edge')).map(({ source, mono, values }) =>
        JSON.stringify([source, mono, values]),
      );
      expect(new Set(told).size, 'none came twice under two seqs').toBe(entry.sampled);
    });
  },
);

describe.skipIf(!canMount)(
  `a data directory that cannot be written at the start${canMount ? '' : ' (skipped: needs root to mount)'}`,
  () => {
    it.each([
      {
        what: 'is read-only',
        leaveBytes: null,
        file: '',
        why: 'its file system is read-only. Make it',
      },
      { what: 'is full to the last byte', leaveBytes: 0, file: 'identity.json', why: FULL },
      // Each ended the process within LMDB.
      { what: 'has no room for the lock file', leaveBytes: 4 * KIBIBYTE, file: 'data.mdb-lock', why: FULL },
      { what: 'has no room for a data file', leaveBytes: 16 * KIBIBYTE, file: 'data.mdb', why: FULL },
      { what: 'has no room for a first commit', leaveBytes: 64 * KIBIBYTE, file: 'data.mdb', why: FULL },
    ])(
      'when it $what: samples are kept in memory and delivered, and go to the disk again once they can',
      async ({ leaveBytes, file, why }) => {
        const folder = temporaryFolder();
        const disk = mountSmallDisk(folder, 8 * MEBIBYTE);
        const dataDir = join(disk.path, 'edge');
        const hq = await startHqProcess(join(folder, 'hq'), built);
        const start = () =>
          startAgentProcess({ id: 'edge', hq: hq.url, dataDir, sources: SOURCES, args: impatient, ...built });
        if (leaveBytes === null) {
          // There is a journal already, which must stay as it is.
          const first = start();
          await until('the first epoch to be live', async () => (await agentStatus(first))?.state === 'live');
          expect(await first.end('SIGTERM')).toBe(0);
          disk.remount('ro');
        } else {
          disk.fill(leaveBytes);
        }
        const known = (await ledgerOf(hq.url, 'edge').catch(() => [])).map(({ epoch }) => epoch);

        const agent = start();
        await until('the agent to have a page', () => logged(agent, 'health_listening').length > 0);
        expectWithin(await timeToDegraded(agent, performance.now()), DEGRADED_MS);
        await untilHqSays(hq.url, 'degraded');
        const inMemory = await until('samples to be delivered', async () => {
          const now = await agentStatus(agent);
          return (now?.journal?.acked ?? 0) > 20 && now;
        });
        expect(inMemory.journal).toMatchObject({ disk: 'absent', maxBytes: 16 * MEBIBYTE });
        const told: unknown[] = logged(agent, 'journal_in_memory').map((line) => JSON.parse(line));
        const detail = new RegExp(
          `^Cannot (write|create|use the data directory) ${join(dataDir, file)}[:,].* ${why}`,
        );
        expect(told).toMatchObject([{ detail: expect.stringMatching(detail) }]);
        expect(inMemory.troubles.map(({ what }) => what)).toContain('Samples are kept in memory only');
        expect(await metricsOf(agent)).toMatch(/^holdfast_agent_journal_in_memory 1$/m);

        if (leaveBytes === null) disk.remount('rw');
        else disk.free();
        await until('the agent to go on on the disk', async () => {
          const now = await agentStatus(agent);
          return now?.state === 'live' && now.journal?.disk === 'good';
        });
        expect(await agent.end('SIGTERM')).toBe(0);
        const entries = await ledgerOf(hq.url, 'edge');
        expect(entries).toHaveLength(2);
        const epoch = inMemory.journal?.epoch ?? '';
        expect(known).not.toContain(epoch);
        for (const entry of entries) {
          expect(entry).toMatchObject({ pending: 0, dropped: {}, stored: entry.sampled });
          expect(await expectWhole(hq.url, entry.epoch)).toBe(entry.sampled);
        }
      },
    );
  },
);
