import { bind } from '@react-rxjs/core';
import { type Refusal, refusalSchema } from '../../../protocol/api.ts';
import { Command } from '../../components/command.tsx';
import { Age } from '../../components/time.tsx';
import { formatExact } from '../../format.ts';
import { NOT_LOADED, poll, requestAll } from '../../state/api.ts';

const [useRefusals] = bind(
  poll(15_000, () => requestAll('api/v1/refusals?', refusalSchema)),
  NOT_LOADED,
);

const WHY: Readonly<Record<Refusal['reason'], string>> = {
  token: 'no token, or a wrong one',
  host: 'a name that is not in allowedHosts',
  origin: 'a page of another site',
};

/** Who tries to deliver and is not let in; nothing where there is nobody. */
export function RefusedCard() {
  const { data } = useRefusals();
  if (data === null || data.length === 0) return null;
  return (
    <section className="card" aria-labelledby="refused-title">
      <div className="card-head">
        <h2 id="refused-title">Refused</h2>
        <span className="hint">
          They journal on. Start them with the token of this HQ: <Command text="--token-file FILE" />
        </span>
      </div>
      <div className="table-wrap">
        <table className="records">
          <thead>
            <tr>
              <th scope="col">Address</th>
              <th scope="col">Why</th>
              <th scope="col">Comes as</th>
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
              <tr key={`${one.address} ${one.reason} ${one.over}`}>
                <th scope="row">{one.address}</th>
                <td data-label="Why">{WHY[one.reason]}</td>
                <td data-label="Comes as">{one.over === 'link' ? 'agent' : 'HTTP delivery'}</td>
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
