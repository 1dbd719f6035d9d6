import { useEffect, useRef } from 'react';

/**
 * Moves the focus to the title of a view when the view changes, as a page that is loaded would: else it stays on what
 * is gone, and a screen reader says nothing. `view`: names the view; the first one keeps the focus as it is.
 */
export function usePageFocus(view: string): void {
  const before = useRef(view);
  useEffect(() => {
    if (before.current === view) return;
    before.current = view;
    document.querySelector('h1')?.focus({ preventScroll: true });
  }, [view]);
}
