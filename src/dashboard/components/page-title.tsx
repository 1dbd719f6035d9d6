import type { ReactNode } from 'react';

/** The one h1 of a view. It takes the focus when somebody comes to the view: see `usePageFocus`. */
export function PageTitle({
  children,
  hidden = false,
}: {
  readonly children: ReactNode;
  readonly hidden?: boolean;
}) {
  return (
    <h1 className={hidden ? 'sr-only' : undefined} tabIndex={-1}>
      {children}
    </h1>
  );
}
