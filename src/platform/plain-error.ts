/** Messages of zod for people who set numbers: what is allowed, and what was given. */
import type { z } from 'zod';

/** Give it to `parse` as `error`; what it does not know keeps zod's own message. */
export function plainError(issue: z.core.$ZodRawIssue): string | undefined {
  if (typeof issue.input !== 'number') return undefined;
  const given = `not ${issue.input}`;
  switch (issue.code) {
    case 'too_small':
      return `must be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}, ${given}`;
    case 'too_big':
      return `must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}, ${given}`;
    case 'invalid_type':
      return issue.expected === 'int' ? `must be a whole number, ${given}` : undefined;
    default:
      return undefined;
  }
}
