import { useMemo, useRef, useState } from 'react';
import type { ChartColors } from '../../charts/colors.ts';
import type { ChartSize } from '../../charts/options.ts';
import type { TimeSpan } from '../../charts/zoom.ts';
import { Segmented } from '../../components/segmented.tsx';
import { UplotBox } from '../../components/uplot-box.tsx';
import { ZoomReset } from '../../components/zoom-reset.tsx';
import { formatBytes, formatRate } from '../../format.ts';
import { useIngest, useTotals } from '../../state/fleet.ts';
import { type IngestView, ingestData, ingestOptions } from './ingest-options.ts';

const WINDOWS = [
  { value: '120000', label: '2 min' },
  { value: '300000', label: '5 min' },
  { value: '600000', label: '10 min' },
] as const;

/** What HQ stores a second: stalls while the link is cut, and overshoots while the gaps fill. */
export function IngestCard() {
  const { ingest, chaosSpans, hqTs } = useIngest();
  const totals = useTotals();
  const [windowMs, setWindowMs] = useState('300000');
  const [zoom, setZoom] = useState<TimeSpan | null>(null);
  const view: IngestView = { ingest, chaosSpans, to: hqTs ?? 0, windowMs: Number(windowMs), zoom };
  const latest = useRef(view);
  latest.current = view;
  // A new window or time needs a new drawing even where the points are the same.
  // biome-ignore lint/correctness/useExhaustiveDependencies: view is made of these
  const data = useMemo(() => ingestData(view), [ingest, chaosSpans, hqTs, windowMs, zoom]);
  const handlers = { onZoom: setZoom, onReset: () => setZoom(null) };
  const build = (colors: ChartColors, size: ChartSize) =>
    ingestOptions(colors, size, () => latest.current, handlers);
  const now =
    totals === null ? '' : `${formatRate(totals.samplesPerSecond)}, ${formatBytes(totals.bytesPerSecond)}/s`;
  return (
    <section className="card" aria-labelledby="ingest-title">
      <div className="card-head">
        <h2 id="ingest-title">Ingest</h2>
        <span className="legend">
          <i className="swatch swatch-line" aria-hidden="true" /> samples/s
          <i className="swatch swatch-second" aria-hidden="true" /> bytes/s
        </span>
        {zoom !== null && <ZoomReset span={zoom} onReset={() => setZoom(null)} />}
        <Segmented
          label="Shown time"
          options={WINDOWS}
          value={windowMs}
          onChange={(next) => {
            setZoom(null);
            setWindowMs(next);
          }}
        />
      </div>
      <UplotBox
        height={190}
        label={`Samples and bytes stored a second; now ${now}`}
        data={data}
        build={build}
        identity="ingest"
      />
    </section>
  );
}
