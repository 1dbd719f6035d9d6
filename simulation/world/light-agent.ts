/**
 * An agent of which thousands fit into one process: the real uplink on the real journal, over a simulated disk and
 * line, with one slow source that commits each sample by itself. Left out are the pipeline and the agent's own watch
 * over its state, whose ticks every second are what an hour of thousands of agents would mostly be made of.
 */
import { filter, interval } from 'rxjs';
import { OPEN_GATE } from '../../src/agent/uplink/metering/gate.ts';
import { createUplink, type Uplink } from '../../src/agent/uplink/uplink.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { VERSION } from '../../src/platform/version.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import type { SimAgent, SimAgentOptions } from './sim-agent.ts';
import { IDENTITY_SERIES } from './source.ts';

export type LightAgentOptions = Pick<
  SimAgentOptions,
  'id' | 'settings' | 'timeline' | 'chance' | 'machine' | 'wire' | 'disk' | 'nextId' | 'isQuiet'
> & {
  /** The agent's uplink or journal has failed: nothing in a stampede should make it. */
  readonly onFailed: (error: unknown) => void;
};

export type LightAgent = Pick<SimAgent, 'id' | 'machine' | 'wire' | 'disk' | 'settings' | 'start'> & {
  readonly running: () => { readonly journal: Journal; readonly uplink: Uplink } | null;
};

export function createLightAgent(options: LightAgentOptions): LightAgent {
  const { id, settings, chance, machine, wire, disk, onFailed } = options;
  let running: ReturnType<LightAgent['running']> = null;

  const start = () => {
    const life = machine.begin();
    const { clock } = life;
    const ids = seededIds(chance.stream('ids'));
    const random = chance.stream('random');
    const values = chance.stream('values');
    const instance = ids.hex(8);
    const { journal: kept, uplink: uplinkSettings } = settings.config;
    const schema = internSchema({
      source: 'light',
      boot: clock.bootId,
      series: [IDENTITY_SERIES, 'sim.level'].map((name) => ({ name, attributes: {}, unit: '1' })),
    });
    const run = (journal: Journal) => {
      const uplink = createUplink({
        identity: { agent: id, instance, version: VERSION },
        settings: uplinkSettings,
        link: wire.link(life, instance),
        journal,
        clock,
        random,
        emit: () => {},
        agentState: () => 'live',
        gate: OPEN_GATE,
        linkReport: () => null,
      });
      uplink.ending$.subscribe(onFailed);
      running = { journal, uplink };
      interval(settings.periodMs, clock.scheduler)
        .pipe(filter(() => !options.isQuiet()))
        .subscribe(() => {
          const sample = {
            schema,
            ts: clock.now(),
            mono: clock.mono(),
            values: [options.nextId(), values.whole(0, 100)],
            anomalies: [],
            diagnostics: [],
          };
          journal
            .append([sample])
            .subscribe({ next: ({ frame }) => uplink.committed(frame), error: onFailed });
        });
    };
    openJournal({
      storage: disk.open(life),
      clock,
      ids,
      policy: kept.overflow,
      maxBytes: kept.maxBytes,
      compactSamples: settings.compactSamples,
    }).subscribe({ next: run, error: onFailed });
  };

  return { id, machine, wire, disk, settings, start, running: () => running };
}
