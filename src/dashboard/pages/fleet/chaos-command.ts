/** Switching chaos. */
import type { Observable } from 'rxjs';
import { type Chaos, type ChaosMode, chaosSchema } from '../../../protocol/api.ts';
import { request } from '../../state/api.ts';

/** Asks HQ for another mode; emits what holds then, errors with `ApiError`. */
export function setChaosMode(mode: ChaosMode): Observable<Chaos> {
  return request('api/v1/chaos', chaosSchema, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode }),
  });
}
