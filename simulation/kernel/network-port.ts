/** The simulated network as agents, HQ and checkers see it. */
import type { Link } from '../../src/agent/uplink/link.ts';
import type { AgentServer } from '../../src/hq/ingest/core/agent-server.ts';
import type { Chance } from './chance.ts';
import type { LineShape, WireFaults } from './line-shape.ts';
import type { Life } from './machine.ts';
import type { Timeline } from './timeline.ts';

/** The line of one agent. */
export type Wire = {
  readonly name: string;
  readonly faults: Readonly<WireFaults>;
  readonly set: (faults: Partial<WireFaults>) => void;
  /** For one life of the agent; `instance` answers HQ's probe. */
  readonly link: (life: Life, instance: string) => Link;
  /** The agent's process has died. `silently`: with its machine, so that nobody tells HQ. */
  readonly drop: (silently: boolean) => void;
  /** Bytes that its agent has sent and received. */
  readonly bytes: () => number;
};

export type Server = {
  /** For one life of HQ. */
  readonly listen: (life: Life) => AgentServer;
  readonly drop: (silently: boolean) => void;
};

export type Network = {
  readonly wire: (name: string, shape?: LineShape) => Wire;
  readonly server: Server;
};

/** What a checker sees of the wire: HQ's answers as they leave HQ. */
export type Answer = {
  readonly wire: string;
  readonly event: string;
  readonly args: readonly unknown[];
  readonly reply: unknown;
};

/** What an agent sent, as it reaches HQ's process. */
export type Arrival = { readonly wire: string; readonly event: string; readonly args: readonly unknown[] };

/** How a connection does that one side has just ended. */
export type Ended = {
  readonly wire: string;
  readonly by: 'agent' | 'hq';
  /** Since bytes of it have last arrived anywhere, ms. */
  readonly quietMs: number;
  /** Bytes of it on their way. */
  readonly waitingBytes: number;
};

/** Sees what agents send and hear, and who ends connections. Connections are told apart by number. */
export type NetworkWatch = {
  readonly sent: (message: Arrival & { readonly connection: number }) => void;
  readonly heard: (answer: Answer & { readonly connection: number }) => void;
  readonly ended: (ended: Ended) => void;
};

export type PassFrame = (wire: string, frame: Uint8Array) => Uint8Array;

export type NetworkOptions = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly note: (line: string) => void;
  readonly onAnswer: (answer: Answer) => void;
  readonly onArrival?: (arrival: Arrival) => void;
  /** HQ sends an agent another credit. */
  readonly onCredit?: (credit: { readonly wire: string; readonly frames: number }) => void;
  readonly usualDelayMs: readonly [least: number, most: number];
  /** What comes of a frame on its way to HQ. Default: it stays as it is. */
  readonly passFrame?: PassFrame;
  readonly watch?: NetworkWatch;
};
