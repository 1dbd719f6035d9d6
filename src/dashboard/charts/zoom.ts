/** A drag over a chart chooses a span of time; what is shown then is up to the page. */
import type uPlot from 'uplot';

/** Both ends in epoch ms. */
export type TimeSpan = { readonly from: number; readonly to: number };

/** A shorter span is not drawn: there is hardly more than a sample in it. */
export const SHORTEST_ZOOM_MS = 2_000;
/** Pixels: less is a click. */
const LEAST_DRAG = 5;
/** Year 9999: beyond it no axis can be drawn. */
const LATEST = 253_402_300_799_999;

/** A span that can be drawn, on whole milliseconds; null where none can. */
export function drawableSpan(from: number, to: number): TimeSpan | null {
  if (!(from >= 0 && to <= LATEST && from < to)) return null;
  if (to - from >= SHORTEST_ZOOM_MS) return { from: Math.floor(from), to: Math.ceil(to) };
  const begin = Math.floor(Math.max(0, (from + to - SHORTEST_ZOOM_MS) / 2));
  return { from: begin, to: begin + SHORTEST_ZOOM_MS };
}

/** The drag stays in its chart: in those that follow its cursor it would draw a band too. */
const withinChart = (type: string): boolean => type !== 'mousedown' && type !== 'mouseup';

export type ZoomHandlers = {
  readonly onZoom: (span: TimeSpan) => void;
  /** A double click. */
  readonly onReset: () => void;
};

/** For the `cursor` of a chart's options. */
export function zoomCursor({ onReset }: ZoomHandlers, sync?: string): uPlot.Cursor {
  return {
    y: false,
    points: { size: 6 },
    drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG },
    bind: {
      dblclick: () => () => {
        onReset();
        return null;
      },
    },
    ...(sync !== undefined && {
      sync: { key: sync, setSeries: false, filters: { pub: withinChart, sub: () => true } },
    }),
  };
}

/** For the `hooks` of a chart's options. */
export function zoomHooks({ onZoom }: ZoomHandlers): uPlot.Hooks.Arrays {
  return {
    setSelect: [
      (chart) => {
        const { left, width } = chart.select;
        if (width < LEAST_DRAG) return;
        chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        const span = drawableSpan(chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x'));
        if (span !== null) onZoom(span);
      },
    ],
  };
}
