import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { createSystemClock } from '../../platform/clock.ts';
import type { Ending } from '../../platform/ending.ts';
import { VERSION } from '../../platform/version.ts';
import { tellIgnored } from '../ignored-variables.ts';
import type { DemoConfig } from '../settings/demo-config.ts';
import { DEMO_LEAVES, loadDemoConfig } from '../settings/demo-settings.ts';
import { addSettingOptions } from '../settings/flags.ts';
import { runUntilStopped } from '../signals.ts';
import { type KeptProcess, keepRunning } from '../supervise.ts';

/** `holdfast demo`: HQ and agents as separate processes, as they would run for real. */
export function defineDemoCommand(command: Command): void {
  addSettingOptions(command, DEMO_LEAVES).action(async () => {
    const effective = await loadDemoConfig(command);
    const { config } = effective;
    tellIgnored(effective);
    process.exitCode = await runDemo(config);
  });
}

/** Each agent measures this machine; the second and third have simulated sensors besides, with faults to find. */
function sourcesOf(index: number): readonly string[] {
  const host = 'host:every=1s';
  return index % 3 === 0 ? [host] : [host, `sim:hz=${index % 3 === 1 ? 10 : 2},sensors=4,seed=${index + 6}`];
}

/** Outages of the demo last seconds, not hours: its agents look again sooner than the defaults would. */
const IMPATIENT = [
  '--uplink-backoff-max-ms',
  '4s',
  '--uplink-ack-timeout-ms',
  '4s',
  '--uplink-breaker-open-ms',
  '5s',
];

function runDemo(config: DemoConfig): Promise<number> {
  const dataDir = resolve(config.dataDir);
  const { scheduler } = createSystemClock();
  const say = (text: string) => process.stdout.write(text);
  const failed = Promise.withResolvers<unknown>();
  const agents: KeptProcess[] = [];
  let stopping = false;
  const start = (name: string, args: readonly string[]) => {
    const kept = keepRunning({
      name,
      args: [...args, '--log-level', 'error'],
      listens: name === 'hq',
      scheduler,
      say,
    });
    void kept.failed.then(failed.resolve);
    return kept;
  };
  const startAgents = (url: string) => {
    if (stopping) return;
    for (let index = 0; index < config.agents; index += 1) {
      const id = `agent-${index + 1}`;
      const sources = sourcesOf(index).flatMap((spec) => ['--source', spec]);
      const place = ['--id', id, '--hq', url, '--data-dir', join(dataDir, id)];
      agents.push(start(id, ['agent', ...place, ...sources, ...IMPATIENT]));
    }
    say(
      `Holdfast ${VERSION} demo\n` +
        `  dashboard  ${url}\n` +
        `  agents     ${agents.map((agent) => agent.name).join(', ')}\n` +
        `  data       ${dataDir}\n` +
        `  chaos      ${config.chaos}${config.chaos === 'random' ? ': HQ cuts its own link now and then; the dashboard has the switch' : ''}\n` +
        'Ctrl-C stops everything.\n',
    );
  };
  // Also while HQ is still starting a signal finds everything that has to be stopped.
  return runUntilStopped(async () => {
    const hq = start('hq', [
      ...['hq', '--host', '127.0.0.1', '--port', String(config.port)],
      ...['--data-dir', join(dataDir, 'hq'), '--chaos', config.chaos, '--chaos-enabled'],
    ]);
    hq.listening.then(startAgents, failed.resolve);
    return {
      ending: failed.promise.then((error): Ending => ({ kind: 'failed', error })),
      stop: async () => {
        stopping = true;
        say('Stopping …\n');
        // Agents first: they say goodbye to an HQ that still listens.
        await Promise.all(agents.map((agent) => agent.stop()));
        await hq.stop();
      },
    };
  });
}
