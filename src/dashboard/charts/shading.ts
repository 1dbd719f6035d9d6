/** Drawing on a chart's canvas beyond what uPlot does itself: shaded spans and marks. */
import type uPlot from 'uplot';

export type ShadedSpan = {
  readonly from: number;
  readonly to: number;
  readonly fill: string;
  /** Diagonal lines of this colour over the fill, so that the span is told from others without colour. */
  readonly hatch: string | null;
  /** Written at the top where the span is wide enough. */
  readonly label: string | null;
  readonly labelColor: string;
};

export type Mark = { readonly t: number; readonly value: number; readonly color: string };

function hatchPattern(context: CanvasRenderingContext2D, color: string): CanvasPattern | null {
  const size = 8 * devicePixelRatio;
  const tile = new OffscreenCanvas(size, size);
  const brush = tile.getContext('2d');
  if (brush === null) return null;
  brush.strokeStyle = color;
  brush.lineWidth = devicePixelRatio;
  brush.beginPath();
  for (const offset of [-size, 0, size]) {
    brush.moveTo(offset, size);
    brush.lineTo(offset + size, 0);
  }
  brush.stroke();
  return context.createPattern(tile, 'repeat');
}

/** Draws spans under the lines and marks over them; `spans` and `marks` are asked at each drawing. */
export function shadingPlugin(layers: {
  readonly spans: () => readonly ShadedSpan[];
  readonly marks: () => readonly Mark[];
  readonly font: string;
}): uPlot.Plugin {
  const patterns = new Map<string, CanvasPattern | null>();
  const drawSpans = (chart: uPlot) => {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const span of layers.spans()) {
      const left = chart.valToPos(span.from, 'x', true);
      const right = chart.valToPos(span.to, 'x', true);
      if (right < bbox.left || left > bbox.left + bbox.width) continue;
      const width = Math.max(devicePixelRatio, right - left);
      ctx.fillStyle = span.fill;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      if (span.hatch !== null) {
        if (!patterns.has(span.hatch)) patterns.set(span.hatch, hatchPattern(ctx, span.hatch));
        const pattern = patterns.get(span.hatch);
        if (pattern) {
          ctx.fillStyle = pattern;
          ctx.fillRect(left, bbox.top, width, bbox.height);
        }
      }
    }
    ctx.restore();
  };
  /** Over the grid, which would strike them through. */
  const drawLabels = (chart: uPlot) => {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.font = scaledFont(layers.font);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'top';
    for (const { from, to, label, labelColor } of layers.spans()) {
      if (label === null) continue;
      const left = Math.max(chart.valToPos(from, 'x', true), bbox.left);
      const right = Math.min(chart.valToPos(to, 'x', true), bbox.left + bbox.width);
      if (ctx.measureText(label).width + 8 * devicePixelRatio > right - left) continue;
      ctx.fillStyle = labelColor;
      ctx.fillText(label, left + 4 * devicePixelRatio, bbox.top + 4 * devicePixelRatio);
    }
    ctx.restore();
  };
  const drawMarks = (chart: uPlot) => {
    const { ctx } = chart;
    const size = 4.5 * devicePixelRatio;
    ctx.save();
    for (const mark of layers.marks()) {
      const x = chart.valToPos(mark.t, 'x', true);
      const y = chart.valToPos(mark.value, 'y', true);
      if (x < chart.bbox.left || x > chart.bbox.left + chart.bbox.width) continue;
      ctx.fillStyle = mark.color;
      ctx.beginPath();
      ctx.moveTo(x, y - size);
      ctx.lineTo(x + size, y);
      ctx.lineTo(x, y + size);
      ctx.lineTo(x - size, y);
      ctx.closePath();
      ctx.fill();
    }
    ctx.restore();
  };
  return { hooks: { drawClear: drawSpans, draw: [drawMarks, drawLabels] } };
}

const scaledFont = (font: string): string =>
  font.replace(/^(\d+)px/, (_, size: string) => `${Math.round(Number(size) * devicePixelRatio)}px`);
