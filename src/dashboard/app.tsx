import { AgentView } from './components/agent-view.tsx';
import { AlarmBanner } from './components/alarm-banner.tsx';
import { FleetView } from './components/fleet-view.tsx';
import { Header } from './components/header.tsx';
import { StaleBanner } from './components/stale-banner.tsx';
import { TokenDialog } from './components/token-dialog.tsx';
import { useIsLive } from './state/fleet.ts';
import { useRoute } from './state/route.ts';

/** The dashboard: header, warnings, and the page that the address names. */
export function App() {
  const live = useIsLive();
  return (
    <>
      <Header />
      <StaleBanner />
      <AlarmBanner />
      <div className={live ? undefined : 'is-stale'}>
        <Page />
      </div>
      <TokenDialog />
    </>
  );
}

function Page() {
  const route = useRoute();
  switch (route.page) {
    case 'fleet':
      return <FleetView />;
    case 'agent':
      return <AgentView key={route.id} route={route} />;
    case 'unknown':
      return (
        <main className="page">
          <p className="nothing">
            There is no such page. <a href="#/">To the fleet</a>
          </p>
        </main>
      );
  }
}
