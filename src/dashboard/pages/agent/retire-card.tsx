import { useEffect, useRef, useState } from 'react';
import { Subscription } from 'rxjs';
import { retiredAgentSchema } from '../../../protocol/api.ts';
import { request } from '../../state/api.ts';
import { errorText } from '../../state/error-text.ts';

/** Retires an agent that comes no more, once that is confirmed; then the fleet is shown. */
export function RetireCard({ id }: { readonly id: string }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const running = useRef(Subscription.EMPTY);
  useEffect(() => () => running.current.unsubscribe(), []);
  const retire = () => {
    setError(null);
    running.current = request(`api/v1/agents/${encodeURIComponent(id)}`, retiredAgentSchema, {
      method: 'DELETE',
    }).subscribe({
      next: () => {
        window.location.hash = '#/';
      },
      error: (reason: unknown) => setError(errorText(reason)),
    });
  };
  return (
    <section className="card ending" aria-labelledby="retire-title">
      <div className="card-head">
        <h2 id="retire-title">Retire</h2>
        {!asking && (
          <button type="button" onClick={() => setAsking(true)}>
            Retire this agent
          </button>
        )}
      </div>
      <p className="hint">
        For one that comes no more: it leaves the lists and gives its place to another. Its samples stay until
        retention removes them, its ledger for good. When it comes again it is back.
      </p>
      {asking && (
        <div className="dialog-actions">
          <button type="button" onClick={() => setAsking(false)}>
            Keep it
          </button>
          <button type="button" className="primary" onClick={retire}>
            Retire {id}
          </button>
        </div>
      )}
      {error !== null && (
        <p className="problem" role="alert">
          {error}
        </p>
      )}
    </section>
  );
}
