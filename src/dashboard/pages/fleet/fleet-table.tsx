import { useDeferredValue, useState } from 'react';
import { SHOWN_STATES } from '../../../protocol/api.ts';
import { CardBoundary } from '../../components/card-boundary.tsx';
import { StateIcon } from '../../components/icons.tsx';
import { formatExact } from '../../format.ts';
import { type FleetFilter, useAgentIds, useFleetHealth } from '../../state/fleet.ts';
import { EmptyFleet } from './empty-fleet.tsx';
import { FleetRow } from './fleet-row.tsx';

/** Below this many agents a search field would only be in the way. */
const SEARCH_FROM = 6;
const COLUMNS = 10;

/** Every agent, in natural order of the names, narrowed by name and state. */
export function FleetTable() {
  const [filter, setFilter] = useState<FleetFilter>({ text: '', state: 'all' });
  const text = useDeferredValue(filter.text);
  const all = useAgentIds('', 'all');
  const ids = useAgentIds(text, filter.state);
  if (all.length === 0) return <EmptyFleet />;
  return (
    <section className="card" aria-labelledby="fleet-title">
      <div className="card-head">
        <h2 id="fleet-title">Agents</h2>
        <StateFilter
          total={all.length}
          chosen={filter.state}
          onChoose={(state) => setFilter({ ...filter, state })}
        />
        {all.length >= SEARCH_FROM && (
          <input
            type="search"
            className="search"
            placeholder="Filter by name"
            aria-label="Filter agents by name"
            value={filter.text}
            onChange={(event) => setFilter({ ...filter, text: event.target.value })}
          />
        )}
      </div>
      <div className="table-wrap">
        <table className="fleet">
          <thead>
            <tr>
              <th scope="col">Agent</th>
              <th scope="col">State</th>
              <th scope="col" className="number" title="age of the newest sample that HQ holds">
                Last sample
              </th>
              <th scope="col" className="number" title="from sampling to durable at HQ, newest live frame">
                Lag
              </th>
              <th scope="col" className="number" title="samples stored a second, over the last 10 s">
                Rate
              </th>
              <th scope="col" title="samples and bytes in the agent's journal that HQ has not got yet">
                Pending
              </th>
              <th scope="col" className="number" title="stored of all that should be here by now">
                Complete
              </th>
              <th scope="col" className="number" title="samples that are lost for good; the ledger says why">
                Dropped
              </th>
              <th scope="col" className="number" title="anomalies that are open now">
                Anomalies
              </th>
              <th scope="col" title="the agent's circuit breaker towards HQ">
                Breaker
              </th>
            </tr>
          </thead>
          <tbody>
            {ids.map((id) => (
              <CardBoundary key={id} name={id} columns={COLUMNS}>
                <FleetRow id={id} />
              </CardBoundary>
            ))}
          </tbody>
        </table>
        {ids.length === 0 && <p className="nothing">No agent passes this filter.</p>}
      </div>
    </section>
  );
}

function StateFilter(props: {
  readonly total: number;
  readonly chosen: FleetFilter['state'];
  readonly onChoose: (state: FleetFilter['state']) => void;
}) {
  const { states } = useFleetHealth();
  return (
    <fieldset className="chips">
      <legend className="sr-only">Show agents by state</legend>
      <button type="button" aria-pressed={props.chosen === 'all'} onClick={() => props.onChoose('all')}>
        all <b>{formatExact(props.total)}</b>
      </button>
      {SHOWN_STATES.filter((state) => states.has(state) || state === props.chosen).map((state) => (
        <button
          key={state}
          type="button"
          className={`state-${state}`}
          aria-pressed={props.chosen === state}
          onClick={() => props.onChoose(props.chosen === state ? 'all' : state)}
        >
          <StateIcon state={state} />
          {state} <b>{formatExact(states.get(state) ?? 0)}</b>
        </button>
      ))}
    </fieldset>
  );
}
