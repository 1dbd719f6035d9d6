import { Component, type ReactNode } from 'react';
import { errorText } from '../state/error-text.ts';

type State = { readonly error: string | null };

/** Shows what went wrong instead of an empty page. */
export class CrashScreen extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error: errorText(error) };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <main className="page">
        <section className="card empty" role="alert">
          <h1>The dashboard failed</h1>
          <p>Agents and HQ are not affected. {this.state.error}</p>
          <p>
            <button type="button" onClick={() => location.reload()}>
              Load the page again
            </button>
          </p>
        </section>
      </main>
    );
  }
}
