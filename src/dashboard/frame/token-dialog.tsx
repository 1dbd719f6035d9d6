import { useStateObservable } from '@react-rxjs/core';
import { useEffect, useId, useRef, useState } from 'react';
import { dismissRefusal, refusal$, setToken } from '../state/session.ts';

/** Asks for the operator's token when HQ refuses for want of it. */
export function TokenDialog() {
  const reason = useStateObservable(refusal$);
  const dialog = useRef<HTMLDialogElement>(null);
  const [value, setValue] = useState('');
  const title = useId();
  const open = reason !== null;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onCancel={dismissRefusal}>
      <form
        method="dialog"
        onSubmit={() => {
          setToken(value.trim());
          setValue('');
        }}
      >
        <h2 id={title}>HQ asks for a token</h2>
        <p>{reason}</p>
        <label>
          Operator token
          <input
            type="password"
            className="dialog-input"
            autoComplete="current-password"
            required
            value={value}
            onChange={(event) => setValue(event.target.value)}
          />
        </label>
        <p className="hint">It is kept in this tab until you close it, and sent to this HQ alone.</p>
        <div className="dialog-actions">
          <button type="button" onClick={dismissRefusal}>
            Not now
          </button>
          <button type="submit" className="primary">
            Continue
          </button>
        </div>
      </form>
    </dialog>
  );
}
