/** HQ's HTTP API as Observables; the only place that fetches. */
import { catchError, EMPTY, exhaustMap, expand, map, Observable, of, reduce, scan } from 'rxjs';
import { z } from 'zod';
import { everyWhileVisible } from '../clock.ts';
import { errorText } from './error-text.ts';
import { currentToken, reportUnauthorized } from './session.ts';

/** HQ refused, or could not be reached (`status` 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const problemSchema = z.object({ title: z.string().optional(), detail: z.string().optional() });

async function answerOf<S extends z.ZodType>(
  path: string,
  init: RequestInit,
  schema: S,
): Promise<z.infer<S>> {
  const token = currentToken();
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), { ...init, headers });
  } catch (error) {
    throw new ApiError(0, 'HQ cannot be reached.', { cause: error });
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const problem = problemSchema.safeParse(body);
    const message =
      (problem.success ? (problem.data.detail ?? problem.data.title) : undefined) ??
      `HQ answered ${response.status}.`;
    if (response.status === 401) reportUnauthorized(message);
    throw new ApiError(response.status, message);
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success)
    throw new ApiError(response.status, `HQ's answer is not understood: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** One request; errors with `ApiError`. Unsubscribing aborts it. `path` is relative to the page. */
export function request<S extends z.ZodType>(
  path: string,
  schema: S,
  init: RequestInit = {},
): Observable<z.infer<S>> {
  return new Observable((subscriber) => {
    const abort = new AbortController();
    answerOf(path, { ...init, signal: abort.signal }, schema).then(
      (answer) => {
        subscriber.next(answer);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
    return () => abort.abort();
  });
}

/** Pages followed at most: a list longer than this is cut. */
const MAX_PAGES = 10;

/** All items of a paged list, in its order. `path` has a query already. */
export function requestAll<S extends z.ZodType>(path: string, item: S): Observable<readonly z.infer<S>[]> {
  const schema = z.object({ items: z.array(item), cursor: z.string().nullable() });
  const ask = (cursor: string | null) =>
    request(`${path}&limit=1000${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, schema);
  return ask(null).pipe(
    expand(({ cursor }, page) => (cursor === null || page + 1 >= MAX_PAGES ? EMPTY : ask(cursor))),
    reduce((all: z.infer<S>[], { items }) => [...all, ...items], []),
  );
}

/** The latest answer, kept while later requests fail. */
export type Loaded<T> = { readonly data: T | null; readonly error: string | null };
export const NOT_LOADED: Loaded<never> = { data: null, error: null };

/**
 * Asks at once and then each `ms` while the page is visible; a slow answer is waited for, never overtaken. Never
 * errors.
 */
export function poll<T>(ms: number, ask: () => Observable<T>): Observable<Loaded<T>> {
  return everyWhileVisible(ms).pipe(
    exhaustMap(() =>
      ask().pipe(
        map((data): Loaded<T> => ({ data, error: null })),
        catchError((error: unknown) => of<Loaded<T>>({ data: null, error: errorText(error) })),
      ),
    ),
    scan((before: Loaded<T>, now) => (now.error === null ? now : { data: before.data, error: now.error })),
  );
}
