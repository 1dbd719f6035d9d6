import { expect, it } from 'vitest';
import { processTitle } from './process-title.ts';

it('is the command line', () => {
  expect(processTitle(['agent', '--id', 'vessel-7', '--source', 'host:every=5s'])).toBe(
    'holdfast agent --id vessel-7 --source host:every=5s',
  );
  expect(processTitle([])).toBe('holdfast');
});

it('shows no token, and does show where one is read from', () => {
  expect(processTitle(['agent', '--token', 's3cret', '--id', 'a'])).toBe('holdfast agent --token … --id a');
  expect(processTitle(['hq', '--agent-token=s3cret', '--operator-token', 's3cret'])).toBe(
    'holdfast hq --agent-token=… --operator-token …',
  );
  expect(processTitle(['agent', '--token-file', '/etc/token'])).toBe(
    'holdfast agent --token-file /etc/token',
  );
});
