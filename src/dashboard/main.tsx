import './csp.ts';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { CrashScreen } from './frame/crash-screen.tsx';
import { fleet$, kept$ } from './state/fleet.ts';
import { shownTheme$ } from './state/theme.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/charts.css';
import './styles/fleet.css';
import './styles/agent.css';

// These live as long as the page: leaving a view must neither close the connection nor forget the theme.
shownTheme$().subscribe();
fleet$.subscribe();
kept$.subscribe();

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id "root"');
createRoot(root).render(
  <CrashScreen>
    <App />
  </CrashScreen>,
);
