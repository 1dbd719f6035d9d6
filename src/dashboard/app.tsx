import { CardBoundary } from './components/card-boundary.tsx';
import { AlarmBanner } from './frame/alarm-banner.tsx';
import { Header } from './frame/header.tsx';
import { StaleBanner } from './frame/stale-banner.tsx';
import { TokenDialog } from './frame/token-dialog.tsx';
import { AgentView } from './pages/agent/agent-view.tsx';
import { FleetView } from './pages/fleet/fleet-view.tsx';
import { useIsLive } from './state/fleet.ts';
import { useRoute } from './state/route.ts';

/** The dashboard: header, warnings, and the page that the address names. */
export function App() {
  const live = useIsLive();
  return (
    <>
      <CardBoundary name="The header">
        <Header />
      </CardBoundary>
      <StaleBanner />
      <CardBoundary name="Alarms">
        <AlarmBanner />
      </CardBoundary>
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
