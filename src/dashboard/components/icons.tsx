/** Icons of the dashboard. Each state has a shape of its own, so that none is told by colour alone. */
import type { ReactNode } from 'react';
import type { AgentSummary } from '../../protocol/api.ts';

function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const STROKE = {
  fill: 'none',
  stroke: 'currentColor',
  strokeWidth: 1.75,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;

/**
 * live: filled disc · catching-up: two arrow heads · offline: crossed ring · degraded: triangle · starting: dashed ring
 * · stopping: square · refused: barred ring · reporting: arrow into a tray · late: clock · silent: crossed tray
 * · unknown: diamond.
 */
export function StateIcon({ state }: { readonly state: AgentSummary['state'] }) {
  switch (state) {
    case 'live':
      return (
        <Icon>
          <circle cx="8" cy="8" r="4.5" fill="currentColor" />
          <circle
            cx="8"
            cy="8"
            r="7"
            fill="none"
            stroke="currentColor"
            strokeOpacity="0.35"
            strokeWidth="1.5"
          />
        </Icon>
      );
    case 'catching-up':
      return (
        <Icon>
          <path d="M3 3.5 7.5 8 3 12.5M8.5 3.5 13 8l-4.5 4.5" {...STROKE} />
        </Icon>
      );
    case 'offline':
      return (
        <Icon>
          <circle cx="8" cy="8" r="5.75" {...STROKE} />
          <path d="m4.2 11.8 7.6-7.6" {...STROKE} />
        </Icon>
      );
    case 'degraded':
      return (
        <Icon>
          <path d="M8 2 14.5 13.5h-13Z" {...STROKE} />
          <path d="M8 6.5v3M8 11.5v.01" {...STROKE} />
        </Icon>
      );
    case 'starting':
      return (
        <Icon>
          <circle cx="8" cy="8" r="5.75" {...STROKE} strokeDasharray="2.5 3.5" />
        </Icon>
      );
    case 'stopping':
      return (
        <Icon>
          <rect x="3.25" y="3.25" width="9.5" height="9.5" rx="1" {...STROKE} />
        </Icon>
      );
    case 'refused':
      return (
        <Icon>
          <circle cx="8" cy="8" r="5.75" {...STROKE} />
          <path d="M4.75 8h6.5" {...STROKE} />
        </Icon>
      );
    case 'reporting':
      return (
        <Icon>
          <path d="M8 2v7M4.75 6.25 8 9.5l3.25-3.25M2.5 10.5v3h11v-3" {...STROKE} />
        </Icon>
      );
    case 'late':
      return (
        <Icon>
          <circle cx="8" cy="8" r="5.75" {...STROKE} />
          <path d="M8 4.75V8l2.25 1.5" {...STROKE} />
        </Icon>
      );
    case 'silent':
      return (
        <Icon>
          <path d="M2.5 10.5v3h11v-3M5 3l6 6M11 3 5 9" {...STROKE} />
        </Icon>
      );
    case 'unknown':
      return (
        <Icon>
          <path d="M8 1.75 14.25 8 8 14.25 1.75 8Z" {...STROKE} />
        </Icon>
      );
  }
}

/** A breaker as a switch: closed, open, or half way. */
export function BreakerIcon({ breaker }: { readonly breaker: AgentSummary['breaker'] }) {
  const lever = {
    closed: 'M4 10h8',
    open: 'M4 10 10.5 4',
    'half-open': 'M4 10l7.5-2.5',
    unknown: 'M6.5 10h.01M9.5 10h.01',
  };
  return (
    <Icon>
      <circle cx="2.75" cy="10" r="1.5" fill="currentColor" />
      <circle cx="13.25" cy="10" r="1.5" fill="currentColor" />
      <path d={lever[breaker]} {...STROKE} />
    </Icon>
  );
}

export function AnomalyIcon() {
  return (
    <Icon>
      <path d="M8 2.5 13.5 8 8 13.5 2.5 8Z" fill="currentColor" />
    </Icon>
  );
}

export function CheckIcon() {
  return (
    <Icon>
      <path d="m3 8.5 3.5 3.5L13 4.5" {...STROKE} />
    </Icon>
  );
}

export function WarningIcon() {
  return (
    <Icon>
      <path d="M8 2 14.5 13.5h-13Z" {...STROKE} />
      <path d="M8 6.5v3M8 11.5v.01" {...STROKE} />
    </Icon>
  );
}

export function BackIcon() {
  return (
    <Icon>
      <path d="M10 3 5 8l5 5" {...STROKE} />
    </Icon>
  );
}

export function ThemeIcon({ theme }: { readonly theme: 'auto' | 'light' | 'dark' }) {
  if (theme === 'light')
    return (
      <Icon>
        <circle cx="8" cy="8" r="3" {...STROKE} />
        <path
          d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7"
          {...STROKE}
        />
      </Icon>
    );
  if (theme === 'dark')
    return (
      <Icon>
        <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z" {...STROKE} />
      </Icon>
    );
  return (
    <Icon>
      <circle cx="8" cy="8" r="5.75" {...STROKE} />
      <path d="M8 2.25a5.75 5.75 0 0 1 0 11.5Z" fill="currentColor" />
    </Icon>
  );
}

/** The mark of Holdfast: a stem and its anchoring roots. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" fill="var(--brand)" />
      <g fill="none" stroke="#fff" strokeWidth="2.4" strokeLinecap="round">
        <path d="M16 25V6M16 12c0-3 2-5 5-5M16 16c0-3-2-5-5-5M16 19c-1 4-4 6-9 6M16 19c1 4 4 6 9 6" />
      </g>
    </svg>
  );
}
