import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Subscription } from 'rxjs';
import { purgedAgentSchema } from '../../../protocol/api.ts';
import { request } from '../../state/api.ts';
import { errorText } from '../../state/error-text.ts';

/** Removes an agent for good, once its id was typed; then the fleet is shown. */
export function PurgeCard({ id }: { readonly id: string }) {
  const [typed, setTyped] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const running = useRef(Subscription.EMPTY);
  useEffect(() => () => running.current.unsubscribe(), []);
  const purge = (event: FormEvent) => {
    event.preventDefault();
    if (typed !== id) return;
    setError(null);
    const path = `api/v1/agents/${encodeURIComponent(id)}?purge=true`;
    running.current = request(path, purgedAgentSchema, { method: 'DELETE' }).subscribe({
      next: () => {
        window.location.hash = '#/';
      },
      error: (reason: unknown) => setError(errorText(reason)),
    });
  };
  return (
    <section className="card ending" aria-labelledby="purge-title">
      <div className="card-head">
        <h2 id="purge-title">Remove for good</h2>
        {typed === null && (
          <button type="button" className="danger" onClick={() => setTyped('')}>
            Remove everything
          </button>
        )}
      </div>
      <p className="hint">
        Everything that HQ stores of this agent goes, and cannot be brought back: samples, ledger, series,
        anomalies, labels. When it comes again it is a new one.
      </p>
      {typed !== null && (
        <form className="confirm" onSubmit={purge}>
          <label>
            <span>
              Type <strong>{id}</strong> to go on
            </span>
            <input
              className="dialog-input"
              autoComplete="off"
              spellCheck={false}
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          <div className="dialog-actions">
            <button type="button" onClick={() => setTyped(null)}>
              Keep everything
            </button>
            <button type="submit" className="danger" disabled={typed !== id}>
              Remove {id} for good
            </button>
          </div>
        </form>
      )}
      {error !== null && (
        <p className="problem" role="alert">
          {error}
        </p>
      )}
    </section>
  );
}
