/** A delivery over HTTP is found in HQ's log by the trace that it is part of, and by its id. */
import { expect, it } from 'vitest';
import { built } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

it('keeps traceparent and the ids of messages from the request to the log line', async () => {
  const hq = await startHqProcess(temporaryFolder(), built);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  const messageId = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
  const answer = await fetch(`${hq.url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent },
    body: JSON.stringify({
      ...{ schemaVersion: 'v1beta1', node_id: 'pump-7', timestamp: 1_700_000_000, pressure: 3.2, messageId },
    }),
  });
  expect(answer.status).toBe(202);
  const line = await until('the line', () => hq.stderr.find((one) => one.includes(traceId)));
  expect(JSON.parse(line)).toMatchObject({
    ...{
      event: 'http_delivery',
      traceparent,
      traceId,
      accepted: 1,
      duplicate: false,
      messageIds: [messageId],
    },
  });
});
