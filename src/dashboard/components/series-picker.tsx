import { useRef, useState } from 'react';
import type { SeriesDocument } from '../../protocol/fleet.ts';
import { unitLabel } from '../format.ts';

/** A chart costs a request each few seconds: no more than these at once. */
const MAX_CHARTS = 24;

/** Chooses which series are drawn. */
export function SeriesPicker(props: {
  readonly all: readonly SeriesDocument[];
  readonly chosen: readonly string[];
  readonly onChoose: (series: readonly string[]) => void;
}) {
  const { all, chosen, onChoose } = props;
  const picker = useRef<HTMLDetailsElement>(null);
  const close = () => picker.current?.removeAttribute('open');
  const [text, setText] = useState('');
  const found = all.filter(({ series }) => series.toLowerCase().includes(text.toLowerCase()));
  const full = chosen.length >= MAX_CHARTS;
  return (
    <details
      ref={picker}
      className="picker"
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) close();
      }}
    >
      <summary>
        {chosen.length} of {all.length} series
      </summary>
      <div className="picker-panel" tabIndex={-1}>
        <input
          type="search"
          className="search"
          placeholder="Find a series"
          aria-label="Find a series"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <ul>
          {found.map(({ series, unit }) => {
            const isChosen = chosen.includes(series);
            return (
              <li key={series}>
                <label>
                  <input
                    type="checkbox"
                    checked={isChosen}
                    disabled={full && !isChosen}
                    onChange={() =>
                      onChoose(isChosen ? chosen.filter((name) => name !== series) : [...chosen, series])
                    }
                  />
                  <span>{series}</span>
                  <small>{unitLabel(unit)}</small>
                </label>
              </li>
            );
          })}
        </ul>
        {found.length === 0 && <p className="nothing">No series of that name.</p>}
        <div className="picker-foot">
          <button type="button" onClick={() => onChoose([])}>
            None
          </button>
          <button
            type="button"
            onClick={() => onChoose(found.slice(0, MAX_CHARTS).map(({ series }) => series))}
          >
            {found.length > MAX_CHARTS ? `First ${MAX_CHARTS}` : 'All found'}
          </button>
        </div>
      </div>
    </details>
  );
}
