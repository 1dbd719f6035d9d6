import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { type ChartColors, chartColors } from '../charts/colors.ts';
import type { ChartSize } from '../charts/options.ts';
import { useShownTheme } from '../state/theme.ts';

type Props = {
  readonly height: number;
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly data: uPlot.AlignedData;
  /** Options for a new chart; asked again when `identity`, the theme or the height changes. */
  readonly build: (colors: ChartColors, size: ChartSize) => uPlot.Options;
  readonly identity: string;
  /** Width in CSS pixels, at first and after a resize. */
  readonly onWidth?: (width: number) => void;
};

/** A uPlot chart as wide as its place. It is made once and then only handed new data. */
export function UplotBox({ height, label, data, build, identity, onWidth }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef({ data, build, onWidth });
  latest.current = { data, build, onWidth };
  const [width, setWidth] = useState(0);
  const theme = useShownTheme();

  useEffect(() => {
    const place = host.current;
    if (place === null) return;
    const observer = new ResizeObserver(([entry]) => {
      const next = Math.floor(entry?.contentRect.width ?? 0);
      if (next === 0) return;
      setWidth(next);
      latest.current.onWidth?.(next);
    });
    observer.observe(place);
    return () => observer.disconnect();
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: theme and identity ask for a new chart although they are not read
  useEffect(() => {
    const place = host.current;
    if (place === null || width === 0) return;
    const made = new uPlot(
      latest.current.build(chartColors(place), { width, height }),
      latest.current.data,
      place,
    );
    chart.current = made;
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [width === 0, height, theme, identity]);

  useEffect(() => {
    if (chart.current !== null && width > 0 && chart.current.width !== width)
      chart.current.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    chart.current?.setData(data);
  }, [data]);

  return <div ref={host} className="chart" style={{ height }} role="img" aria-label={label} />;
}
