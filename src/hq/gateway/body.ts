/** How bodies are read: JSON and NDJSON, plain or compressed, bounded both as sent and when inflated. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { errorText } from '../../platform/error-text.ts';
import { DuplicateNameError } from '../../protocol/json-text.ts';
import { parseExactJson } from '../http/exact-json.ts';
import { fieldName } from '../http/field-errors.ts';
import { Problem } from '../http/problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** SHA-256 of the body after inflating, as hex; empty when there was none. */
    contentDigest: string;
  }
}

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

export const CONTENT_ENCODINGS: readonly string[] = Object.keys(DECODERS);

const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

/** Replaces Fastify's parsers. The `bodyLimit` of the server bounds the inflated body too. */
export function registerBodyParsers(app: FastifyInstance): void {
  app.decorateRequest('contentDigest', '');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      request.contentDigest = digest(body);
      return parseJson(decode(body), null);
    },
  );
  app.addContentTypeParser(
    NDJSON_TYPES,
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      request.contentDigest = digest(body);
      return decode(body)
        .split('\n')
        .map((line, index) => ({ text: line.trim(), number: index + 1 }))
        .filter(({ text }) => text !== '')
        .map(({ text, number }, index) => parseJson(text, { number, index }));
    },
  );
  app.addHook('preParsing', async (request, _reply, payload) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (encoding === 'identity') return payload;
    const create = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (create === undefined) {
      throw new Problem(
        'unsupported_media_type',
        `Content-Encoding: ${encoding} is not known; take ${CONTENT_ENCODINGS.join(', ')} or none`,
      );
    }
    const decoder = Object.assign(create(), { receivedEncodedLength: 0 });
    payload.on('data', (chunk: Buffer) => {
      decoder.receivedEncodedLength += chunk.length;
    });
    payload.on('error', (error) => decoder.destroy(error));
    // Fastify stops reading at its limit; the decoder must not go on inflating for nobody.
    decoder.on('close', () => payload.unpipe(decoder));
    payload.pipe(decoder);
    return decoder;
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new Problem('malformed', 'the body is not valid UTF-8', { cause });
  }
}

/** `line`: where NDJSON has it, counted from 1, and which of its records it is, from 0. */
function parseJson(text: string, line: { readonly number: number; readonly index: number } | null): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    if (cause instanceof DuplicateNameError) throw duplicateName(cause, line?.index);
    const reason = errorText(cause);
    const where = line === null ? 'the body' : `line ${line.number}`;
    const field = line === null ? 'body' : where;
    throw new Problem('malformed', `${where} is not valid JSON: ${reason}`, {
      errors: [{ field, message: reason }],
    });
  }
}

function duplicateName({ path, message }: DuplicateNameError, index: number | undefined): Problem {
  const field = fieldName(index === undefined ? path : [index, ...path]);
  return new Problem('invalid', `${field}: ${message}`, { errors: [{ field, message }] });
}

function digest(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
