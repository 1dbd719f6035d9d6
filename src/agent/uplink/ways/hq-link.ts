/** The link to HQ over all ways that the settings name. */
import type { Clock } from '../../../platform/clock.ts';
import { createCountedAgent } from '../counted-sockets.ts';
import type { Link } from '../link.ts';
import { createSocketIoLink } from '../socketio-link.ts';
import type { ConfiguredWay } from './configured-ways.ts';
import { probeHq } from './probe-hq.ts';
import { createRoutedLink } from './routed-link.ts';

export type HqLinkOptions = {
  readonly ways: readonly ConfiguredWay[];
  readonly token: () => string | undefined;
  readonly instance: string;
  readonly connectTimeoutMs: number;
  readonly returnAfterMs: number;
  readonly clock: Pick<Clock, 'scheduler'>;
};

export function createHqLink(options: HqLinkOptions): Link {
  const { token, instance, connectTimeoutMs, returnAfterMs, clock } = options;
  return createRoutedLink({
    returnAfterMs,
    clock,
    ways: options.ways.map(({ way, address }) => ({
      way,
      link: createSocketIoLink({ url: address, way, token, instance, connectTimeoutMs, clock }),
      probe: () =>
        probeHq({
          address,
          agentOf: (onSocket) => createCountedAgent({ secure: address.startsWith('https:'), onSocket }),
          timeoutMs: connectTimeoutMs,
          clock,
        }),
    })),
  });
}
