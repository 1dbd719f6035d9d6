/**
 * Asks HQ over its HTTP API. Every failure is a CommandFailure that says what to do: HQ that cannot be reached, a token
 * that it wants, an answer that is a problem document or none of HQ.
 */
import { z } from 'zod';
import { errorText } from '../../platform/error-text.ts';
import { CommandFailure, EXIT } from '../exit.ts';

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

export type HqClient = {
  readonly get: (path: string, query?: Query) => Promise<unknown>;
  /** All items of a list, page by page. */
  readonly items: (path: string, query?: Query) => AsyncGenerator<unknown, void>;
  /** Null: it is there; else the code of the problem, such as `not_found`. */
  readonly problemAt: (path: string) => Promise<string | null>;
  readonly post: (path: string, body: object) => Promise<unknown>;
  /** The status, and the document that came with it; null where none did. */
  readonly remove: (
    path: string,
    query?: Query,
  ) => Promise<{ readonly status: number; readonly body: unknown }>;
};

export type HqClientOptions = {
  /** Address of HQ, http: or https:; a path is kept. */
  readonly url: string;
  readonly token: string | undefined;
};

/** An answer that takes longer is given up, ms. */
const DEADLINE_MS = 60_000;

const pageSchema = z.looseObject({ items: z.array(z.unknown()), cursor: z.string().nullable() });
const problemSchema = z.looseObject({ type: z.string(), detail: z.string() });

export function createHqClient({ url, token }: HqClientOptions): HqClient {
  const answerTo = async (
    method: 'GET' | 'DELETE' | 'POST',
    path: string,
    query: Query = {},
    content?: object,
  ) => {
    const address = addressOf(url, path, query);
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const body = content === undefined ? null : JSON.stringify(content);
    let response: Response;
    let text: string;
    try {
      response = await fetch(address, { method, headers, body, signal: AbortSignal.timeout(DEADLINE_MS) });
      text = await response.text();
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const why = `HQ does not answer at ${url} (${errorText(cause)}): is it running there, and is --hq right?`;
      throw new CommandFailure(EXIT.failure, why, { cause: error });
    }
    return { status: response.status, isOk: response.ok, body: bodyOf(text) };
  };
  const ask = async (...asked: Parameters<typeof answerTo>) => {
    const { status, isOk, body } = await answerTo(...asked);
    if (!isOk) throw refused(status, body, url);
    return { status, body };
  };
  const get = async (path: string, query?: Query) => (await ask('GET', path, query)).body;
  return {
    get,
    items: async function* (path, query = {}) {
      let cursor: string | null = null;
      do {
        const page: z.infer<typeof pageSchema> = known(
          pageSchema,
          await get(path, cursor === null ? query : { ...query, cursor }),
        );
        yield* page.items;
        cursor = page.cursor;
      } while (cursor !== null);
    },
    problemAt: async (path) => {
      const { status, isOk, body } = await answerTo('GET', path);
      if (isOk) return null;
      const problem = problemSchema.safeParse(body);
      if (status !== 404 || !problem.success) throw refused(status, body, url);
      return problem.data.type.split(':').at(-1) ?? '';
    },
    post: async (path, body) => (await ask('POST', path, {}, body)).body,
    remove: (path, query) => ask('DELETE', path, query),
  };
}

/** What of an answer is needed. Throws a CommandFailure where it is another. */
export function known<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CommandFailure(
    EXIT.failure,
    'the answer is none of HQ as this version knows it: is --hq the address of a Holdfast HQ?',
  );
}

function addressOf(url: string, path: string, query: Query): URL {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, '')}${path}`;
  for (const [name, value] of Object.entries(query)) {
    for (const one of typeof value === 'string' ? [value] : (value ?? []))
      address.searchParams.append(name, one);
  }
  return address;
}

function bodyOf(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refused(status: number, body: unknown, url: string): CommandFailure {
  const problem = problemSchema.safeParse(body);
  const detail = problem.success ? problem.data.detail : `HTTP ${status}, which is no answer of HQ at ${url}`;
  const advice =
    status === 401
      ? ': give the operator token in a file with --token-file, or in HOLDFAST_OPERATOR_TOKEN'
      : '';
  return new CommandFailure(EXIT.failure, `${detail}${advice}`);
}
