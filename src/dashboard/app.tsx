import { CardBoundary } from './components/card-boundary.tsx';
import { PageTitle } from './components/page-title.tsx';
import { AlarmBanner } from './frame/alarm-banner.tsx';
import { Header } from './frame/header.tsx';
import { StaleBanner } from './frame/stale-banner.tsx';
import { TokenDialog } from './frame/token-dialog.tsx';
import { AgentView } from './pages/agent/agent-view.tsx';
import { FleetView } from './pages/fleet/fleet-view.tsx';
import { useIsLive } from './state/fleet.ts';
import { usePageFocus } from './state/page-focus.ts';
import { type Route, useRoute } from './state/route.ts';

/** The dashboard: header, warnings, and the page that the address names. */
export function App() {
  const live = useIsLive();
  return (
    <>
      <CardBoundary name="The header">
        <Header />
      </CardBoundary>
      <CardBoundary name="The connection">
        <StaleBanner />
      </CardBoundary>
      <CardBoundary name="Alarms">
        <AlarmBanner />
      </CardBoundary>
      <div className={live ? undefined : 'is-stale'}>
        <Page />
      </div>
      <CardBoundary name="The question for a token">
        <TokenDialog />
      </CardBoundary>
    </>
  );
}

function Page() {
  const route = useRoute();
  const view = route.page === 'agent' ? `agent ${route.id}` : route.page;
  usePageFocus(view);
  // By its name: one that failed is no reason to hide the next.
  return (
    <CardBoundary key={view} name="This page" page>
      <View route={route} />
    </CardBoundary>
  );
}

function View({ route }: { readonly route: Route }) {
  switch (route.page) {
    case 'fleet':
      return <FleetView />;
    case 'agent':
      return <AgentView route={route} />;
    case 'unknown':
      return (
        <main className="page">
          <PageTitle>No such page</PageTitle>
          <p className="nothing">
            The address names no page. <a href="#/">To the fleet</a>
          </p>
        </main>
      );
  }
}
