/**
 * Which of several ways to HQ is tried next, and when to go back to a better one. Pure: told what happens, with times
 * of one clock.
 *
 * - A way that failed is followed by the next one at once, the last by the first, until each has failed. A way that has
 *   worked and was lost is tried again first: most losses are short.
 * - A way that failed for a reason that lasts, such as another HQ at its end, is set aside: tried only behind all
 *   others, and at most once in `returnAfterMs`.
 * - From a lower way a better one is looked at alongside the standing connection. It is moved to only when it has
 *   answered every time for `returnAfterMs`, at least LEAST_ANSWERS times, and then opens a connection. One that opens
 *   none is not looked at for as long, and for twice as long each time, as is one that was set aside.
 * - A return that is lost again within that time doubles it for the next, up to MAX_CAUTION times: a way that comes and
 *   goes must not take the connection along.
 */
export type WayChoice = {
  readonly count: number;
  /** Tried first. */
  readonly preferred: number;
  /** Ways that have failed in this round, which ends when one is proven or none is left. */
  readonly tried: ReadonlySet<number>;
  /** By way, until it is proven. */
  readonly shut: ReadonlyMap<number, Shut>;
  /** A way above the standing one that answers. */
  readonly better: { readonly index: number; readonly since: number; readonly answers: number } | null;
  /** When the last return was; null before the first. */
  readonly returnedAt: number | null;
  readonly caution: number;
};

/** Of a way that no connection should be given up for. */
export type Shut = {
  /** Until it may be looked at. */
  readonly until: number;
  /** Until a connection may be tried over it; it was set aside. Null: at any time. */
  readonly aside: number | null;
  /** How long it was not looked at the last time, ms. */
  readonly ms: number;
};

export type WayEvent =
  /** It never carried anything, or HQ refused this agent there. */
  | { readonly type: 'failed'; readonly index: number; readonly isLasting: boolean; readonly at: number }
  /** HQ is there, and takes nothing for now. */
  | { readonly type: 'busy'; readonly index: number; readonly at: number }
  /** Each way has had its turn. */
  | { readonly type: 'round_over' }
  /** HQ has taken something over it. */
  | { readonly type: 'proven'; readonly index: number; readonly at: number }
  /** A proven way was lost. */
  | { readonly type: 'lost'; readonly index: number; readonly at: number }
  | { readonly type: 'probed'; readonly index: number; readonly answers: boolean; readonly at: number }
  /** It answers, and yet opened no connection alongside the standing one. */
  | { readonly type: 'unopened'; readonly index: number; readonly isLasting: boolean; readonly at: number }
  /** The connection was ended for a better way. */
  | { readonly type: 'moved'; readonly at: number };

export const LEAST_ANSWERS = 4;
export const MAX_CAUTION = 8;
/** A way that was set aside is looked at again within this time, ms, or within `returnAfterMs`. */
export const MAX_ASIDE_MS = 3_600_000;

export function newWayChoice(count: number): WayChoice {
  return {
    count,
    preferred: 0,
    tried: new Set(),
    shut: new Map(),
    better: null,
    returnedAt: null,
    caution: 1,
  };
}

export function nextWayChoice(choice: WayChoice, event: WayEvent, returnAfterMs: number): WayChoice {
  switch (event.type) {
    case 'failed':
      return {
        ...given(choice, event, returnAfterMs),
        tried: new Set([...choice.tried, event.index]),
        shut: event.isLasting ? withShut(choice, event, returnAfterMs) : choice.shut,
      };
    case 'busy':
      return given(choice, event, returnAfterMs);
    case 'round_over':
      return { ...choice, tried: new Set() };
    case 'proven': {
      const shut = new Map([...choice.shut].filter(([index]) => index !== event.index));
      return { ...choice, preferred: event.index, tried: new Set(), shut, better: null };
    }
    case 'lost':
      return {
        ...choice,
        ...judgeReturn(choice, event.at, returnAfterMs),
        preferred: event.index,
        better: null,
      };
    case 'probed':
      return { ...choice, better: seen(choice.better, event) };
    case 'unopened':
      return { ...choice, shut: withShut(choice, event, returnAfterMs), better: null };
    case 'moved': {
      const preferred = choice.better?.index ?? 0;
      const before = choice.shut.get(preferred);
      const shut = before && new Map([...choice.shut, [preferred, { ...before, aside: null }]]);
      return { ...choice, shut: shut ?? choice.shut, preferred, better: null, returnedAt: event.at };
    }
  }
}

/** The ways to try, in this order; at least one. */
export function orderOf(choice: WayChoice, at: number): readonly number[] {
  const left = untried(choice, at);
  return left.length > 0 ? left : candidates(choice, at);
}

/** Whether a way has failed, and another one is to be tried at once. */
export function hasAnother(choice: WayChoice, at: number): boolean {
  return choice.tried.size > 0 && untried(choice, at).length > 0;
}

function untried(choice: WayChoice, at: number): readonly number[] {
  return candidates(choice, at).filter((index) => !choice.tried.has(index));
}

function candidates({ preferred, count, shut }: WayChoice, at: number): readonly number[] {
  const all = Array.from({ length: count }, (_, place) => (preferred + place) % count);
  const asideUntil = (index: number) => shut.get(index)?.aside ?? null;
  const open = all.filter((index) => asideUntil(index) === null);
  const due = all.filter((index) => {
    const until = asideUntil(index);
    return until !== null && until <= at;
  });
  return open.length + due.length === 0 ? all : [...open, ...due];
}

/** Whether a better way may be looked at. */
export function isWatched({ shut }: WayChoice, index: number, at: number): boolean {
  return (shut.get(index)?.until ?? at) <= at;
}

/** Whether a better way has answered for long enough. */
export function isReturnDue({ better, caution }: WayChoice, at: number, returnAfterMs: number): boolean {
  return better !== null && better.answers >= LEAST_ANSWERS && at - better.since >= returnAfterMs * caution;
}

/** After an attempt that came to nothing over a way. */
function given(
  choice: WayChoice,
  { index, at }: { readonly index: number; readonly at: number },
  returnAfterMs: number,
): WayChoice {
  const preferred = (index + 1) % choice.count;
  return { ...choice, ...judgeReturn(choice, at, returnAfterMs), preferred, better: null };
}

function withShut(
  { shut }: WayChoice,
  { index, isLasting, at }: Extract<WayEvent, { type: 'failed' | 'unopened' }>,
  returnAfterMs: number,
): WayChoice['shut'] {
  const mostMs = isLasting ? Math.max(MAX_ASIDE_MS, returnAfterMs) : MAX_CAUTION * returnAfterMs;
  const before = shut.get(index);
  const ms = Math.min(mostMs, before === undefined ? returnAfterMs : 2 * before.ms);
  const aside = isLasting ? at + returnAfterMs : null;
  return new Map([...shut, [index, { until: at + ms, aside, ms }]]);
}

function seen(
  better: WayChoice['better'],
  { index, answers, at }: Extract<WayEvent, { type: 'probed' }>,
): WayChoice['better'] {
  if (better === null || index < better.index) return answers ? { index, since: at, answers: 1 } : better;
  if (index > better.index) return better;
  return answers ? { ...better, answers: better.answers + 1 } : null;
}

function judgeReturn(
  { returnedAt, caution }: WayChoice,
  at: number,
  returnAfterMs: number,
): Pick<WayChoice, 'returnedAt' | 'caution'> {
  if (returnedAt === null) return { returnedAt, caution };
  const isSoon = at - returnedAt < returnAfterMs * caution;
  return { returnedAt: null, caution: isSoon ? Math.min(MAX_CAUTION, caution * 2) : 1 };
}
