import type { AnomalyDocument } from '../../../protocol/api.ts';
import { nameOfKey } from '../../../protocol/series-key.ts';
import { AnomalyIcon } from '../../components/icons.tsx';
import { Moment } from '../../components/time.tsx';
import { formatDuration, formatTick, formatValue, NONE, significant } from '../../format.ts';
import type { Loaded } from '../../state/api.ts';

/** Rows drawn at most; the newest count. */
const MAX_ROWS = 200;

/** A value that JSON may have had to write as text. */
const shown = (value: AnomalyDocument['peakValue'], format: (value: number) => string): string =>
  typeof value === 'number' ? format(value) : value;

const METHODS: Readonly<Record<NonNullable<AnomalyDocument['method']>, string>> = {
  zscore: 'value',
  mean_zscore: 'mean',
  adaptive: 'adaptive',
};

const usual = (
  mean: AnomalyDocument['peakValue'],
  stddev: AnomalyDocument['peakValue'],
  format: (value: number) => string,
): string => `${shown(mean, format)} ± ${shown(stddev, format)}`;

/** What judged it, and the bound that it broke; agents of 0.1 do not say. */
function foundBy({ method, threshold }: AnomalyDocument): string {
  if (method === undefined) return NONE;
  const bound = typeof threshold === 'number' ? `, |z| > ${significant(threshold, 3)}` : '';
  return `${METHODS[method]}${bound}`;
}

/** Anomalies of an agent, newest first. */
export function AnomalyList(props: {
  readonly anomalies: Loaded<readonly AnomalyDocument[]>;
  /** `in the last 5 min`. */
  readonly when: string;
  /** The name of the chart that an anomaly is of. */
  readonly chartOf: (anomaly: AnomalyDocument) => string;
  /** Asks for the chart that an anomaly is of. */
  readonly onShow: (anomaly: AnomalyDocument) => void;
}) {
  const { anomalies, when, chartOf, onShow } = props;
  const rows = (anomalies.data ?? []).toSorted((a, b) => b.startTs - a.startTs).slice(0, MAX_ROWS);
  return (
    <section className="card" aria-labelledby="anomalies-title">
      <div className="card-head">
        <h2 id="anomalies-title">Anomalies</h2>
        <span className="hint">z-score beyond the threshold, {when}</span>
      </div>
      {rows.length === 0 ? (
        <p className="nothing">
          {anomalies.error ?? (anomalies.data === null ? 'Waiting for HQ …' : `None ${when}.`)}
        </p>
      ) : (
        <div className="table-wrap table-tall">
          <table className="records">
            <thead>
              <tr>
                <th scope="col">Series</th>
                <th scope="col">State</th>
                <th scope="col">Began</th>
                <th scope="col" className="number">
                  Lasted
                </th>
                <th scope="col" className="number">
                  Peak
                </th>
                <th scope="col" className="number">
                  z
                </th>
                <th scope="col" className="number">
                  Usual
                </th>
                <th scope="col">Found by</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((anomaly) => {
                const format = (value: number) => formatValue(value, anomaly.unit, nameOfKey(anomaly.series));
                const bare = (value: number) => formatTick(value, anomaly.unit, nameOfKey(anomaly.series));
                return (
                  <tr key={`${anomaly.series} ${anomaly.source} ${anomaly.startTs}`}>
                    <th scope="row">
                      <button type="button" className="text-button" onClick={() => onShow(anomaly)}>
                        {chartOf(anomaly)}
                      </button>
                    </th>
                    <td data-label="State">
                      {anomaly.state === 'open' ? (
                        <span className="badge tone-anomaly">
                          <AnomalyIcon />
                          open
                        </span>
                      ) : (
                        <span className="quiet">closed</span>
                      )}
                    </td>
                    <td data-label="Began">
                      <Moment ts={anomaly.startTs} />
                    </td>
                    <td data-label="Lasted" className="number">
                      {anomaly.endTs === null ? NONE : formatDuration(anomaly.endTs - anomaly.startTs)}
                    </td>
                    <td data-label="Peak" className="number">
                      {shown(anomaly.peakValue, format)}
                    </td>
                    <td data-label="z" className="number">
                      {shown(anomaly.peakZ, (z) => significant(z, 3))}
                    </td>
                    <td data-label="Usual" className="number quiet">
                      {anomaly.mean === null ? NONE : usual(anomaly.mean, anomaly.stddev ?? 0, bare)}
                    </td>
                    <td data-label="Found by" className="quiet">
                      {foundBy(anomaly)}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
