import type { ReactNode } from 'react';

/** A name and a value in a grid of facts. */
export function Fact({
  name,
  children,
  hint,
  wide = false,
}: {
  readonly name: string;
  readonly children: ReactNode;
  readonly hint?: string;
  /** Takes a row of its own, for a sentence. */
  readonly wide?: boolean;
}) {
  return (
    <div className={wide ? 'fact wide' : 'fact'} title={hint}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
