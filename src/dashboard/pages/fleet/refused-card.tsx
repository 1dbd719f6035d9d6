import { bind } from '@react-rxjs/core';
import { refusalSchema } from '../../../protocol/api.ts';
import { Advice } from '../../components/command.tsx';
import { REFUSAL_TEXTS } from '../../components/refusal-texts.ts';
import { Age } from '../../components/time.tsx';
import { formatExact } from '../../format.ts';
import { NOT_LOADED, poll, requestAll } from '../../state/api.ts';

const [useRefusals] = bind(
  poll(15_000, () => requestAll('api/v1/refusals?', refusalSchema)),
  NOT_LOADED,
);

/** Who tries to deliver and is not let in; nothing where there is nobody. */
export function RefusedCard() {
  const { data } = useRefusals();
  if (data === null || data.length === 0) return null;
  return (
    <section className="card" aria-labelledby="refused-title">
      <div className="card-head">
        <h2 id="refused-title">Refused</h2>
        <span className="hint">HQ does not let them in. Agents journal on meanwhile.</span>
      </div>
      <div className="table-wrap">
        <table className="records">
          <thead>
            <tr>
              <th scope="col">Who</th>
              <th scope="col">Why</th>
              <th scope="col">What to do</th>
              <th scope="col" className="number">
                Since
              </th>
              <th scope="col" className="number">
                Last try
              </th>
              <th scope="col" className="number">
                Tries
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((one) => (
              <tr key={`${one.address} ${one.reason} ${one.over} ${one.agent}`}>
                <th scope="row">
                  {one.agent ?? (one.over === 'link' ? 'an agent' : 'a delivery by HTTP')}
                  <span className="quiet"> at {one.address}</span>
                </th>
                <td data-label="Why" title={one.detail ?? undefined}>
                  {REFUSAL_TEXTS[one.reason]}
                </td>
                <td data-label="What to do">
                  <Advice text={one.advice} />
                </td>
                <td data-label="Since" className="number">
                  <Age ts={one.since} />
                </td>
                <td data-label="Last try" className="number">
                  <Age ts={one.last} />
                </td>
                <td data-label="Tries" className="number">
                  {formatExact(one.attempts)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
