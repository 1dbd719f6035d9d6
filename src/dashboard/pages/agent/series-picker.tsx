import { useRef, useState } from 'react';
import { unitLabel } from '../../format.ts';
import type { NamedSeries } from './named-series.ts';

/** A chart costs a request each few seconds: no more than these at once. */
const MAX_CHARTS = 24;

/** Chooses which series are drawn. */
export function SeriesPicker(props: {
  readonly all: readonly NamedSeries[];
  readonly chosen: readonly string[];
  readonly onChoose: (series: readonly string[]) => void;
}) {
  const { all, chosen, onChoose } = props;
  const picker = useRef<HTMLDetailsElement>(null);
  const close = () => picker.current?.removeAttribute('open');
  const [text, setText] = useState('');
  const found = all.filter(({ chart }) => chart.toLowerCase().includes(text.toLowerCase()));
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
          {found.map(({ chart, unit }) => {
            const isChosen = chosen.includes(chart);
            return (
              <li key={chart}>
                <label>
                  <input
                    type="checkbox"
                    checked={isChosen}
                    disabled={full && !isChosen}
                    onChange={() =>
                      onChoose(isChosen ? chosen.filter((name) => name !== chart) : [...chosen, chart])
                    }
                  />
                  <span>{chart}</span>
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
            onClick={() => onChoose(found.slice(0, MAX_CHARTS).map(({ chart }) => chart))}
          >
            {found.length > MAX_CHARTS ? `First ${MAX_CHARTS}` : 'All found'}
          </button>
        </div>
      </div>
    </details>
  );
}
