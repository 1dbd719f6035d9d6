/** Light, dark, or as the system says. The choice is kept in the browser. */
import { bind } from '@react-rxjs/core';
import { BehaviorSubject, combineLatest, distinctUntilChanged, fromEvent, map, startWith } from 'rxjs';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'holdfast.theme';

function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'auto';
  } catch {
    return 'auto';
  }
}

const theme = new BehaviorSubject<Theme>(stored());
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

export function setTheme(next: Theme): void {
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Kept in memory below.
  }
  theme.next(next);
}

export const [useTheme] = bind(() => theme, stored);

function show(choice: Theme): 'light' | 'dark' {
  if (choice === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  if (choice !== 'auto') return choice;
  return prefersDark.matches ? 'dark' : 'light';
}

const shown$ = combineLatest([theme, fromEvent(prefersDark, 'change').pipe(startWith(null))]).pipe(
  map(([choice]) => choice),
  map(show),
  distinctUntilChanged(),
);

/**
 * What is seen: canvases, which style sheets do not reach, are drawn again when it changes. Subscribing applies the
 * theme.
 */
export const [useShownTheme, shownTheme$] = bind(
  () => shown$,
  () => show(theme.getValue()),
);
