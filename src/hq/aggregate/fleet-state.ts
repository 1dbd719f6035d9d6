/** What the fleet state is made of while HQ runs, and what the store says of it at the start. */
import type { Observable } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Chaos } from '../../protocol/api.ts';
import type { LabelRecord } from '../../protocol/labels.ts';
import type { ChaosControl } from '../chaos.ts';
import type { LinkEvent } from '../ingest/core/link-event.ts';
import type { AlarmRecord } from '../store/alarms.ts';
import type { HistoryRecord } from '../store/ingest-history.ts';

import type {
  AgentNumbers,
  AgentRecord,
  AgentRegistry,
  AlarmStore,
  EventStore,
  FrameLog,
  IndexProgress,
  IngestHistoryStore,
  LabelStore,
  PauseStore,
  RhythmStore,
} from '../store/store.ts';
import type { AgentEntry } from './agent-entry.ts';
import type { AlarmKeeper } from './alarm-keeper.ts';
import type { EventKeeper } from './event-keeper.ts';
import type { HistoryKeeper } from './history-keeper.ts';
import type { IngestMeter } from './ingest-meter.ts';
import type { LabelKeeper } from './label-keeper.ts';
import type { PauseKeeper } from './pause-keeper.ts';
import type { RhythmKeeper } from './rhythm-keeper.ts';
import type { Roster } from './roster.ts';

export type FleetOptions = {
  readonly store: FrameLog &
    AgentRegistry &
    AgentNumbers &
    IndexProgress &
    AlarmStore &
    LabelStore &
    PauseStore &
    RhythmStore &
    EventStore &
    IngestHistoryStore;
  /** From the ingest of agents. */
  readonly links$: Observable<LinkEvent>;
  readonly chaos: Pick<ChaosControl, 'current' | 'state$'>;
  readonly clock: Clock;
  /** Samples further ahead of HQ's clock are not the latest, ms. Default 24 h. */
  readonly maxAheadMs?: number;
  readonly hqVersion: string;
};

export type FleetState = {
  readonly options: FleetOptions;
  readonly roster: Roster;
  readonly meter: IngestMeter;
  readonly alarms: AlarmKeeper;
  readonly labels: LabelKeeper;
  readonly pauses: PauseKeeper;
  readonly rhythms: RhythmKeeper;
  readonly history: HistoryKeeper;
  readonly events: EventKeeper;
  /** Have a rate that falls when nothing comes. */
  readonly busy: Set<AgentEntry>;
  /** Have a state that changes by itself. */
  readonly waiting: Set<AgentEntry>;
  /** Have an alarm that ends by itself. */
  readonly alarmed: Set<AgentEntry>;
  /** Retired since the last delta. */
  readonly removed: Set<string>;
  ticks: number;
  chaosChanged: boolean;
  /** What chaos did when it was last looked at. */
  chaosEffect: Chaos['effect'];
};

export type Found = {
  readonly agents: readonly AgentRecord[];
  /** Of each of the agents. */
  readonly lastSampleTs: readonly (number | null)[];
  readonly alarms: ReadonlyMap<string, AlarmRecord>;
  readonly labels: ReadonlyMap<string, LabelRecord>;
  readonly history: ReadonlyMap<string, HistoryRecord>;
};
