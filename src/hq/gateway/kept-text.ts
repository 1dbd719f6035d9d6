/**
 * A text that is long to make, for many who ask at once: all share the one that is under way, and it is made again only
 * after REST times what it took, so that nobody can have HQ do nothing else.
 */
import type { Clock } from '../../platform/clock.ts';

/** Rest after each making, in times that it took: a tenth of the time at most goes into it. */
const REST = 9;

/** Where `make` failed, the next one to ask has it made again. */
export function keepText(clock: Pick<Clock, 'precise'>, make: () => Promise<string>): () => Promise<string> {
  let text: Promise<string> | null = null;
  let until = Number.POSITIVE_INFINITY;
  return () => {
    if (text !== null && clock.precise() < until) return text;
    const began = clock.precise();
    until = Number.POSITIVE_INFINITY;
    const made = make();
    text = made;
    made.then(
      () => {
        const ended = clock.precise();
        until = ended + (ended - began) * REST;
      },
      () => {
        text = null;
      },
    );
    return made;
  };
}
