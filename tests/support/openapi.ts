/** Holds what HQ processes answer to their own OpenAPI document. */
import { z } from 'zod';
import { type AnswerCheck, answerCheck } from '../../src/hq/gateway/testing/answer-check.ts';

const checks = new Map<string, Promise<AnswerCheck | null>>();
/** Of the first HQ that this process has started: the others are of the same version. */
let ours: Promise<AnswerCheck | null> | null = null;

/** HQ has just begun to listen: its document is read before a test looks at times. */
export async function expectDocumentOf(url: string): Promise<void> {
  const { origin } = new URL(url);
  ours ??= load(origin);
  checks.set(origin, ours);
  try {
    await ours;
  } catch (error) {
    ours = null;
    checks.delete(origin);
    throw error;
  }
}

/** Null: whoever answers has no such document. */
async function load(origin: string): Promise<AnswerCheck | null> {
  try {
    const response = await fetch(`${origin}/openapi.json`, { signal: AbortSignal.timeout(10_000) });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`${origin}/openapi.json: HTTP ${response.status}`);
    return answerCheck(z.record(z.string(), z.unknown()).parse(await response.json()));
  } catch (error) {
    // It may be on its way up.
    checks.delete(origin);
    throw error;
  }
}

/** Throws where the answer to a GET is another than the document of whoever answered says. */
export async function holdToDocument(response: Response, body: string): Promise<void> {
  const { origin, pathname } = new URL(response.url);
  const loading = checks.get(origin) ?? load(origin);
  checks.set(origin, loading);
  const check = await loading;
  const headers = Object.fromEntries(response.headers);
  check?.({ method: 'GET', url: pathname, status: response.status, headers, body });
}
