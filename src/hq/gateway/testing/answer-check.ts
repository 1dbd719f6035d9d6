/**
 * Holds answers to the OpenAPI document: the status, the content type, the headers that must be there, and the body by
 * its schema.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';

export type CheckedAnswer = {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
};
export type AnswerCheck = (answer: CheckedAnswer) => void;

const responseSchema = z.looseObject({
  /** Left out: the answer has no body. */
  content: z.record(z.string(), z.looseObject({ schema: z.unknown() })).optional(),
  headers: z.record(z.string(), z.looseObject({ required: z.boolean().default(false) })).default({}),
});
const documentSchema = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ responses: z.record(z.string(), responseSchema) })),
  ),
});

const checks = new Map<string, AnswerCheck>();

/** Throws where an answer at a path of the document is another than it says. Other paths are not looked at. */
export function answerCheck(document: Readonly<Record<string, unknown>>): AnswerCheck {
  const text = JSON.stringify(document);
  const known = checks.get(text);
  if (known !== undefined) return known;
  const made = createCheck(document);
  checks.set(text, made);
  return made;
}

function createCheck(document: Readonly<Record<string, unknown>>): AnswerCheck {
  const { paths } = documentSchema.parse(document);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'openapi');
  const validators = new Map<string, ValidateFunction>();
  const validator = (...pointer: readonly string[]) => {
    const at = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
    const $ref = `openapi#/${at.join('/')}`;
    const found = validators.get($ref) ?? ajv.compile({ $ref });
    validators.set($ref, found);
    return found;
  };
  const templates = Object.keys(paths)
    .map((path) => ({
      path,
      pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}/?$`),
    }))
    // Without a parameter first.
    .sort((a, b) => a.path.split('{').length - b.path.split('{').length);

  return ({ method, url, status, headers, body }) => {
    const [address = ''] = url.split('?');
    const path = templates.find(({ pattern }) => pattern.test(address))?.path;
    // CORS answers before the routes.
    if (path === undefined || method === 'OPTIONS') return;
    const methods = paths[path] ?? {};
    const own = (method === 'HEAD' ? 'get' : method.toLowerCase()) in methods;
    const operation = own
      ? method === 'HEAD'
        ? 'get'
        : method.toLowerCase()
      : (Object.keys(methods)[0] ?? '');
    const where = `${method} ${url}: HTTP ${status}`;
    if (!own && status !== 405) throw new Error(`${where}: the document has no such method`);
    const response = methods[operation]?.responses[status];
    if (response === undefined) throw new Error(`${where}: the document has no such status`);
    for (const [name, { required }] of Object.entries(response.headers))
      if (required && headers[name.toLowerCase()] === undefined)
        throw new Error(`${where}: no header ${name}`);
    if (response.content === undefined) {
      if (body !== '') throw new Error(`${where}: the document has no body`);
      return;
    }
    const type = String(headers['content-type'] ?? '').split(';')[0] ?? '';
    if (!(type in response.content)) throw new Error(`${where}: the document has no content of type ${type}`);
    if (method === 'HEAD' || !type.endsWith('json')) return;
    const validate = validator(
      'paths',
      path,
      operation,
      'responses',
      String(status),
      'content',
      type,
      'schema',
    );
    if (!validate(JSON.parse(body)))
      throw new Error(
        `${where}: ${ajv.errorsText(validate.errors, { dataVar: 'body' })}: ${body.slice(0, 300)}`,
      );
  };
}
