import { throwError } from 'rxjs';
import { expect, it } from 'vitest';
import { createAccess } from '../access.ts';
import { ask, post } from './testing/http.ts';
import { createTestGateway } from './testing/test-gateway.ts';

it('answers 503 with Retry-After, and lets nobody in, while it cannot look up who a request is', async () => {
  const open = createAccess({ agentToken: '', operatorToken: '', allowedHosts: [] });
  const admit = () => throwError(() => new Error('the directory of secrets is down'));
  const { app, store } = await createTestGateway({ access: { ...open, admit } });
  const delivered = await post(app, '/telemetry', { agent: 'a', timestamp: 1, metrics: { x: 1 } });
  for (const answer of [delivered, await ask(app, '/api/v1/agents')]) {
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(answer.problem().type).toBe('urn:holdfast:problem:unavailable');
    expect(answer.body).not.toContain('secrets');
  }
  expect(store.appended).toEqual([]);
  expect((await ask(app, '/healthz')).status, 'what everybody may see').toBe(200);
});
