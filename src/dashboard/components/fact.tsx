import type { ReactNode } from 'react';

/** A name and a value in a grid of facts. */
export function Fact({
  name,
  children,
  hint,
}: {
  readonly name: string;
  readonly children: ReactNode;
  readonly hint?: string;
}) {
  return (
    <div className="fact" title={hint}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
