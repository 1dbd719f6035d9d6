/**
 * Which of several ways to HQ is tried next, and when to go back to a better one. Pure: told what happens, with times of one clock.
 *
 * - A way that failed is followed by the next one at once, the last by the first. A way that has worked and was lost is tried again
 *   first: most losses are short.
 * - From a lower way a better one is looked at beside the standing connection. It is moved to only when it has answered every time for
 *   `returnAfterMs`, at least LEAST_ANSWERS times.
 * - A return that is lost again within that time doubles it for the next, up to MAX_CAUTION times: a way that comes and goes must
 *   not take the connection along.
 */
export type WayChoice = {
  readonly count: number;
  /** Tried first. */
  readonly preferred: number;
  /** A way above the standing one that answers. */
  readonly better: { readonly index: number; readonly since: number; readonly answers: number } | null;
  /** When the last return was; null before the first. */
  readonly returnedAt: number | null;
  readonly caution: number;
};

export type WayEvent =
  /** It never carried anything, or HQ refused this agent there. */
  | { readonly type: 'failed'; readonly index: number; readonly at: number }
  /** HQ has taken something over it. */
  | { readonly type: 'proven'; readonly index: number; readonly at: number }
  /** A proven way was lost. */
  | { readonly type: 'lost'; readonly index: number; readonly at: number }
  | { readonly type: 'probed'; readonly index: number; readonly answers: boolean; readonly at: number }
  /** The connection was ended for a better way. */
  | { readonly type: 'moved'; readonly at: number };

export const LEAST_ANSWERS = 4;
export const MAX_CAUTION = 8;

export function newWayChoice(count: number): WayChoice {
  return { count, preferred: 0, better: null, returnedAt: null, caution: 1 };
}

export function nextWayChoice(choice: WayChoice, event: WayEvent, returnAfterMs: number): WayChoice {
  switch (event.type) {
    case 'failed': {
      const preferred = (event.index + 1) % choice.count;
      return { ...choice, ...judgeReturn(choice, event.at, returnAfterMs), preferred, better: null };
    }
    case 'proven':
      return { ...choice, preferred: event.index, better: null };
    case 'lost':
      return {
        ...choice,
        ...judgeReturn(choice, event.at, returnAfterMs),
        preferred: event.index,
        better: null,
      };
    case 'probed':
      return { ...choice, better: seen(choice.better, event) };
    case 'moved':
      return { ...choice, preferred: choice.better?.index ?? 0, better: null, returnedAt: event.at };
  }
}

/** The ways to try, in this order. */
export function orderOf({ preferred, count }: WayChoice): readonly number[] {
  return Array.from({ length: count }, (_, at) => (preferred + at) % count);
}

/** Whether a better way has answered for long enough. */
export function isReturnDue({ better, caution }: WayChoice, at: number, returnAfterMs: number): boolean {
  return better !== null && better.answers >= LEAST_ANSWERS && at - better.since >= returnAfterMs * caution;
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
