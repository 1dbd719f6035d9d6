/** The links that agents are held to, and to what. Rates are bits a second, times ms. */
import { type LinkOptions, WAYS } from '../../tests/support/link-model.ts';

export type LinkAims = {
  /** From sample taken to durable at HQ, of samples taken after the first fresh one was stored. */
  readonly liveLagMs: number;
  /** From the first connection until a fresh sample is stored; in a row of passes, after each return. */
  readonly firstFreshMs?: number;
  /** Bytes that went up, headers included, of those that could have. */
  readonly linkUsed: number;
  readonly bytesPerBacklogSample?: number;
};

export type LinkRow = {
  readonly name: string;
  readonly upBitsPerSecond: number;
  readonly downBitsPerSecond: number;
  readonly roundTripMs: number;
  readonly preset: string;
  /** Whether HQ had the schemas before. */
  readonly isSchemaKnown: boolean;
  /** Pending samples of 17 series. */
  readonly backlog: number;
  /** How long it is measured from the first connection on, unless the backlog is drained before. */
  readonly seconds: number;
  /** The link is there for `upMs`, then not for `downMs`, and so on. */
  readonly passes?: { readonly upMs: number; readonly downMs: number };
  /** Each `everyMs` both rates are multiplied by `factor`, then divided by it, and so on. */
  readonly steps?: { readonly everyMs: number; readonly factor: number };
  readonly aims: LinkAims;
};

const BACKLOG = 200_000;
/** What a modem keeps waiting. */
const QUEUE_MS = 1000;

const symmetric = (bitsPerSecond: number, roundTripMs: number) => ({
  upBitsPerSecond: bitsPerSecond,
  downBitsPerSecond: bitsPerSecond,
  roundTripMs,
  isSchemaKnown: true,
  backlog: BACKLOG,
});

const SLOWEST = {
  ...symmetric(2_400, 1500),
  preset: 'at-sea',
  seconds: 240,
  aims: { liveLagMs: 12_000, firstFreshMs: 15_000, linkUsed: 0.75, bytesPerBacklogSample: 30 },
};

export const LINK_ROWS: readonly LinkRow[] = [
  { name: '2.4 kbit/s, 1.5 s', ...SLOWEST },
  {
    ...SLOWEST,
    name: '2.4 kbit/s, 1.5 s, new schema',
    isSchemaKnown: false,
    aims: { ...SLOWEST.aims, firstFreshMs: 30_000 },
  },
  {
    ...symmetric(9_600, 1200),
    name: '9.6 kbit/s, 1.2 s',
    preset: 'at-sea',
    seconds: 120,
    aims: { liveLagMs: 2_000, firstFreshMs: 6_000, linkUsed: 0.8, bytesPerBacklogSample: 20 },
  },
  {
    ...symmetric(64_000, 600),
    name: '64 kbit/s, 600 ms',
    preset: 'satellite',
    seconds: 90,
    aims: { liveLagMs: 1_000, firstFreshMs: 3_000, linkUsed: 0.85, bytesPerBacklogSample: 13 },
  },
  {
    ...symmetric(64_000, 600),
    name: '64 kbit/s, 600 ms, preset lan',
    preset: 'lan',
    seconds: 90,
    aims: { liveLagMs: 1_000, firstFreshMs: 3_000, linkUsed: 0.85, bytesPerBacklogSample: 13 },
  },
  {
    ...symmetric(256_000, 600),
    name: '256 kbit/s, 600 ms',
    preset: 'satellite',
    seconds: 60,
    aims: { liveLagMs: 800, firstFreshMs: 2_500, linkUsed: 0.9, bytesPerBacklogSample: 11 },
  },
  {
    ...symmetric(2_000_000, 50),
    name: '2 Mbit/s, 50 ms',
    preset: 'lan',
    // 200,000 are gone in eight seconds.
    backlog: 5 * BACKLOG,
    seconds: 60,
    aims: { liveLagMs: 600, firstFreshMs: 1_500, linkUsed: 0.9, bytesPerBacklogSample: 10.5 },
  },
  {
    ...symmetric(64_000, 600),
    name: '64 kbit/s, 15 s of every 60',
    preset: 'satellite',
    seconds: 195,
    passes: { upMs: 15_000, downMs: 45_000 },
    aims: { liveLagMs: 1_000, firstFreshMs: 4_000, linkUsed: 0.55, bytesPerBacklogSample: 16 },
  },
  {
    ...symmetric(64_000, 600),
    name: '64 kbit/s up, 2 Mbit/s down, × 4 and ÷ 4 each 30 s',
    downBitsPerSecond: 2_000_000,
    preset: 'satellite',
    seconds: 120,
    steps: { everyMs: 30_000, factor: 4 },
    aims: { liveLagMs: 2_000, linkUsed: 0.75 },
  },
];

/** The link of a row, as it is at first. */
export function linkOptionsOf({ upBitsPerSecond, downBitsPerSecond, roundTripMs }: LinkRow): LinkOptions {
  const bits = { up: upBitsPerSecond, down: downBitsPerSecond };
  const [up, down] = WAYS.map((way) => ({
    bytesPerSecond: bits[way] / 8,
    delayMs: roundTripMs / 2,
    queueMs: QUEUE_MS,
  }));
  if (up === undefined || down === undefined) throw new Error('a link has two ways');
  return { up, down };
}
