/** Turns what zod found into a list of named fields. */
import type { z } from 'zod';
import { legalText } from '../../protocol/legal-text.ts';
import type { FieldError } from './problem.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** `['a', 2, 'b']` as `a[2].b`; an empty name as `[""]`, and legal text whatever names it holds. */
export function fieldName(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (part === '') return `${text}[""]`;
    const name = legalText(String(part), MAX_NAME);
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** Of a name in an error; the longest that a series may have is far below. */
const MAX_NAME = 1_000;

/**
 * The issues as field errors; `at` is put before each path. A union names the field of the branch that came furthest.
 */
export function fieldErrors(issues: readonly Issue[], at: Path = []): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const path = [...at, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ field: fieldName([...path, key]), message: 'unknown field' }));
    }
    // A name, as of a metric, that may not be one: zod has what is wrong with it apart.
    if (issue.code === 'invalid_key' && issue.issues[0] !== undefined)
      return [{ field: fieldName(path), message: `its name ${issue.issues[0].message}` }];
    if (issue.code === 'invalid_union') {
      const depths = issue.errors.map((branch) => Math.max(0, ...branch.map((one) => one.path.length)));
      const furthest = Math.max(0, ...depths);
      const branch = issue.errors[depths.indexOf(furthest)];
      if (furthest > 0 && branch !== undefined) return fieldErrors(branch, path);
    }
    return [{ field: fieldName(path) || 'body', message: issue.message }];
  });
}
