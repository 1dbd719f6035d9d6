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
    'http://hq dropped the connection before it was open (socket hang up).',
  ],
  [
    'tls',
    coded('C0:error:0A00010B:SSL routines:wrong version number:\n', 'ERR_SSL_WRONG_VERSION_NUMBER'),
    'No trusted TLS connection to http://hq: C0:error:0A00010B:SSL routines:wrong version number: (ERR_SSL_WRONG_VERSION_NUMBER).',
  ],
] as const)('names a failure of kind %s in one whole sentence', (kind, error, message) => {
  expect(classifyConnectFailure('http://hq', error)).toMatchObject({ kind, message });
});
