import { expect, it } from 'vitest';
import { classifyConnectFailure } from './classify-failure.ts';

const coded = (message: string, code?: string) => Object.assign(new Error(message), code && { code });

it.each([
  [
    'closed',
    coded('read ECONNRESET', 'ECONNRESET'),
    'http://hq dropped the connection before it was open (ECONNRESET).',
  ],
  [
    'closed',
    coded('socket hang up'),
    'http://hq dropped the connection before it was open (socket hang up). If HQ speaks TLS there, write https://hq.',
  ],
  [
    'tls',
    coded(
      'C0:error:0A000438:SSL routines:tlsv1 alert internal error:\n',
      'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
    ),
    'No trusted TLS connection to http://hq: C0:error:0A000438:SSL routines:tlsv1 alert internal error: (ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR).',
  ],
] as const)('names a failure of kind %s in one whole sentence', (kind, error, message) => {
  expect(classifyConnectFailure('http://hq', error)).toMatchObject({ kind, message });
});
