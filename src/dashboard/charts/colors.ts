/** The style sheet's colours as a canvas needs them: resolved for the theme that is shown. */

const PROPERTIES = {
  text: '--muted',
  grid: '--chart-grid',
  line: '--chart-line',
  area: '--chart-area',
  second: '--chart-second',
  gap: '--chart-gap',
  gapEdge: '--chart-gap-edge',
  lost: '--chart-lost',
  lostEdge: '--chart-lost-edge',
  thinned: '--chart-thinned',
  slow: '--chart-slow',
  anomaly: '--anomaly',
  anomalyArea: '--anomaly-area',
} as const;

export type ChartColors = Readonly<Record<keyof typeof PROPERTIES, string>> & {
  /** CSS shorthand, in unscaled pixels. */
  readonly font: string;
};

/** Reads them through a probe element: a custom property itself is not resolved by `getComputedStyle`. */
export function chartColors(host: HTMLElement): ChartColors {
  const probe = document.createElement('span');
  host.append(probe);
  const read = (property: string): string => {
    probe.style.color = `var(${property})`;
    return getComputedStyle(probe).color;
  };
  const colors: ChartColors = {
    text: read(PROPERTIES.text),
    grid: read(PROPERTIES.grid),
    line: read(PROPERTIES.line),
    area: read(PROPERTIES.area),
    second: read(PROPERTIES.second),
    gap: read(PROPERTIES.gap),
    gapEdge: read(PROPERTIES.gapEdge),
    lost: read(PROPERTIES.lost),
    lostEdge: read(PROPERTIES.lostEdge),
    thinned: read(PROPERTIES.thinned),
    slow: read(PROPERTIES.slow),
    anomaly: read(PROPERTIES.anomaly),
    anomalyArea: read(PROPERTIES.anomalyArea),
    font: `11px ${getComputedStyle(host).fontFamily}`,
  };
  probe.remove();
  return colors;
}
