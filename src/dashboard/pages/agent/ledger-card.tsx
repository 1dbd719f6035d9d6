import type { LedgerEntry } from '../../../protocol/api.ts';
import { CheckIcon, WarningIcon } from '../../components/icons.tsx';
import { formatExact } from '../../format.ts';
import type { Loaded } from '../../state/api.ts';
import { ledgerSum } from './ledger-sum.ts';

function Reasons({ counts }: { readonly counts: Readonly<Record<string, number>> }) {
  const reasons = Object.entries(counts).filter(([, count]) => count > 0);
  if (reasons.length === 0) return <span className="quiet">0</span>;
  return (
    <ul className="reasons">
      {reasons.map(([reason, count]) => (
        <li key={reason}>
          {formatExact(count)} <small>{reason.replaceAll('_', ' ')}</small>
        </li>
      ))}
    </ul>
  );
}

function Row({ entry }: { readonly entry: LedgerEntry }) {
  const { unexplained } = ledgerSum(entry);
  return (
    <tr>
      <th scope="row">
        <code>{entry.epoch}</code>
      </th>
      <td data-label="Sampled" className="number">
        {formatExact(entry.sampled)}
      </td>
      <td data-label="Stored" className="number">
        {formatExact(entry.stored)}
      </td>
      <td data-label="Pending" className="number">
        {formatExact(entry.pending)}
      </td>
      <td
        data-label="Thinned"
        className="number"
        title="only statistics of these are left: the journal was full"
      >
        <Reasons counts={entry.thinned} />
      </td>
      <td data-label="Dropped" className="number">
        <Reasons counts={entry.dropped} />
      </td>
      <td data-label="Contiguous to" className="number">
        {formatExact(entry.contiguous)}
        {entry.ranges.length > 0 && <small className="quiet"> + {entry.ranges.length} beyond</small>}
      </td>
      <td data-label="Equation">
        {unexplained === 0 ? (
          <span className="badge state-live">
            <CheckIcon />
            holds
          </span>
        ) : (
          <span className="badge state-degraded">
            <WarningIcon />
            off by {formatExact(unexplained)}
          </span>
        )}
      </td>
    </tr>
  );
}

/** Where every sample of each epoch is. */
export function LedgerCard({ ledger }: { readonly ledger: Loaded<readonly LedgerEntry[]> }) {
  return (
    <section className="card" aria-labelledby="ledger-title">
      <div className="card-head">
        <h2 id="ledger-title">Ledger</h2>
        <span className="hint">
          sampled = stored + pending + thinned + dropped, for each life of the journal
        </span>
      </div>
      {ledger.data === null || ledger.data.length === 0 ? (
        <p className="nothing">
          {ledger.error ?? (ledger.data === null ? 'Waiting for HQ …' : 'Nothing sampled yet.')}
        </p>
      ) : (
        <div className="table-wrap">
          <table className="records">
            <thead>
              <tr>
                <th scope="col">Epoch</th>
                <th scope="col" className="number">
                  Sampled
                </th>
                <th scope="col" className="number">
                  Stored
                </th>
                <th scope="col" className="number">
                  Pending
                </th>
                <th scope="col" className="number">
                  Thinned
                </th>
                <th scope="col" className="number">
                  Dropped
                </th>
                <th scope="col" className="number">
                  Contiguous to
                </th>
                <th scope="col">Equation</th>
              </tr>
            </thead>
            <tbody>
              {ledger.data.map((entry) => (
                <Row key={entry.epoch} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
