/**
 * A simulated network between agents and HQ, in place of Socket.IO on both sides: a `Link` for each agent, an
 * `AgentServer` for HQ.
 *
 * A connection is a pair of pipes that keep order, as TCP does. What a black hole swallows arrives late if the
 * connection lives to see it; a message that is lost or doubled is so whole, as a proxy would do it. Both ends ping
 * like Socket.IO, take whatever arrives for a sign of life, and find out about a dead peer only thereby.
 */
import { Observable } from 'rxjs';
import type { LinkEvent } from '../../src/agent/uplink/link.ts';
import { createParsedSession } from '../../src/agent/uplink/parsed-session.ts';
import type { AgentPeer } from '../../src/hq/ingest/core/agent-server.ts';
import { connectOver } from './connection.ts';
import type { NetState, WireState } from './connection-state.ts';
import { linkEventOf } from './ends.ts';
import { createLine } from './line.ts';
import { freeLine, type WireFaults } from './line-shape.ts';
import type { Network, NetworkOptions, Server, Wire } from './network-port.ts';
import { createPipe } from './pipe.ts';

const MODEM_QUEUE_BYTES = 8 * 1024;

export function createNetwork(options: NetworkOptions): Network {
  const { timeline, chance, usualDelayMs } = options;
  const net: NetState = { ...options, connections: new Set(), listener: null, machineUp: true };

  const server: Server = {
    listen: (life) => ({
      serve: (admit) =>
        new Observable<AgentPeer>((subscriber) => {
          net.machineUp = true;
          net.listener = { life, admit, accept: (peer) => subscriber.next(peer) };
          return () => {
            net.listener = null;
          };
        }),
    }),
    drop: (silently) => {
      net.listener = null;
      net.machineUp = !silently;
      for (const connection of [...net.connections]) connection.serverDied(silently);
    },
  };

  const wire = (name: string, shape = freeLine(usualDelayMs)): Wire => {
    const faults: WireFaults = {
      ...shape,
      upLost: false,
      downLost: false,
      cut: false,
      loss: 0,
      doubled: 0,
    };
    const lines = {
      up: createLine({ timeline, queueBytes: MODEM_QUEUE_BYTES }),
      down: createLine({ timeline, queueBytes: MODEM_QUEUE_BYTES }),
    };
    lines.up.setRate(faults.upRate);
    lines.down.setRate(faults.downRate);
    const mine: WireState['mine'] = new Set();
    const pipe: WireState['pipe'] = (direction, onBytes) =>
      createPipe({
        timeline,
        chance,
        line: lines[direction],
        delayMs: () => faults.delayMs,
        isLost: () => (direction === 'up' ? faults.upLost : faults.downLost),
        onBytes,
      });
    const isSlow = () => Number.isFinite(lines.up.rate()) || Number.isFinite(lines.down.rate());
    const state: WireState = { name, faults, mine, pipe, isSlow, connected: 0, bytesEver: 0 };

    return {
      name,
      faults,
      set: (change) => {
        Object.assign(faults, change);
        lines.up.setRate(faults.upRate);
        lines.down.setRate(faults.downRate);
        if (change.cut === true) for (const connection of [...mine]) connection.abort();
        for (const connection of [...mine]) connection.healed();
      },
      link: (life, instance) => ({
        connect: (wishes = {}) =>
          new Observable<LinkEvent>((subscriber) =>
            connectOver(net, state, life, instance, wishes, {
              opened: (ask, meter) =>
                subscriber.next({ type: 'open', session: createParsedSession(ask, meter) }),
              event: (event, payload) => subscriber.next(linkEventOf(event, payload)),
              fail: (error) => subscriber.error(error),
            }),
          ),
      }),
      bytes: () => state.bytesEver,
      drop: (silently) => {
        for (const connection of [...mine]) connection.agentDied(silently);
      },
    };
  };
  return { wire, server };
}
