/** How the life of a component ends that nobody has asked to end. */
import { errorText } from './error-text.ts';

export type Ending =
  /** It has put everything in order for being started again in this very process; the reason is a sentence. */
  | { readonly kind: 'restart'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: unknown };

/** The same for people. */
export function endingText(ending: Ending): string {
  if (ending.kind === 'restart') return ending.reason;
  return errorText(ending.error);
}
