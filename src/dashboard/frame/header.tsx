import { Logo, StateIcon, ThemeIcon } from '../components/icons.tsx';
import { formatDuration } from '../format.ts';
import { useFreshness, useHqVersion } from '../state/fleet.ts';
import { setTheme, THEMES, useTheme } from '../state/theme.ts';

/** Name, connection to HQ, theme. */
export function Header() {
  const version = useHqVersion();
  return (
    <header className="top">
      <a className="brand" href="#/">
        <Logo />
        <span>Holdfast</span>
      </a>
      {version !== null && <span className="version">HQ {version}</span>}
      <span className="top-space" />
      <LinkState />
      <ThemeButton />
    </header>
  );
}

function LinkState() {
  const freshness = useFreshness();
  switch (freshness.kind) {
    case 'live':
      return (
        <span className="badge state-live" title="this page gets HQ's news as it happens">
          <StateIcon state="live" />
          live
        </span>
      );
    case 'connecting':
      return (
        <span className="badge state-starting">
          <StateIcon state="starting" />
          connecting
        </span>
      );
    case 'unauthorized':
      return (
        <span className="badge state-offline">
          <StateIcon state="offline" />
          token needed
        </span>
      );
    case 'stale':
      return (
        <span className="badge state-degraded">
          <StateIcon state="degraded" />
          stale
          {freshness.ageMs === null ? '' : ` ${formatDuration(Math.floor(freshness.ageMs / 1000) * 1000)}`}
        </span>
      );
  }
}

const THEME_NAMES = { auto: 'as the system', light: 'light', dark: 'dark' } as const;

function ThemeButton() {
  const theme = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
  const text = `Theme: ${THEME_NAMES[theme]}. Change to ${THEME_NAMES[next]}.`;
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={text}
      title={text}
      onClick={() => setTheme(next)}
    >
      <ThemeIcon theme={theme} />
    </button>
  );
}
