import { Component, type ReactNode } from 'react';
import type { Subscription } from 'rxjs';
import { after } from '../clock.ts';
import { errorText } from '../state/error-text.ts';
import { PageTitle } from './page-title.tsx';

type Props = {
  /** What it holds, for people: `Ledger`. */
  readonly name: string;
  readonly children: ReactNode;
  /** In a table: what stands in for a row is one, of so many cells. */
  readonly columns?: number;
  /** A whole page: what stands in for it is one, with a title. */
  readonly page?: boolean;
};
type State = { readonly error: string | null };

/** What failed at one moment's figures is tried again with later ones. */
const RETRY_MS = 10_000;

/** One card that fails says so in its own place; the others go on. */
export class CardBoundary extends Component<Props, State> {
  override state: State = { error: null };
  #retry: Subscription | null = null;

  static getDerivedStateFromError(error: unknown): State {
    return { error: errorText(error) };
  }

  override componentDidCatch(): void {
    this.#retry?.unsubscribe();
    this.#retry = after(RETRY_MS).subscribe(() => this.setState({ error: null }));
  }

  override componentWillUnmount(): void {
    this.#retry?.unsubscribe();
  }

  override render(): ReactNode {
    const { name, children, columns, page = false } = this.props;
    const { error } = this.state;
    if (error === null) return children;
    const text = `${name} cannot be shown just now: ${error}`;
    const card = (
      <section className="card failed" role="alert">
        <p className="problem">{text}</p>
      </section>
    );
    if (page)
      return (
        <main className="page">
          <PageTitle hidden>{name}</PageTitle>
          {card}
        </main>
      );
    if (columns === undefined) return card;
    return (
      <tr>
        <td colSpan={columns} role="alert">
          <span className="problem">{text}</span>
        </td>
      </tr>
    );
  }
}
