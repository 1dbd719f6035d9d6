/** The status page for people: one small HTML document without scripts. */
import type { DiskState } from '../../protocol/events.ts';
import type { SourceStatus } from '../pipeline/pipeline-types.ts';
import type { AgentStatus } from '../status.ts';
import { budgetRows, estimateRows } from './link-rows.ts';
import { bytesText, type Row, spanText } from './text.ts';

const REFRESH_SECONDS = 5;

const STYLE = `
:root{color-scheme:light dark;--ok:#1a7f37;--warn:#9a6700;--bad:#cf222e;--line:#8884}
@media (prefers-color-scheme:dark){:root{--ok:#3fb950;--warn:#d29922;--bad:#f85149}}
body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:normal;opacity:.75;width:min(14rem,36%)}td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}footer{margin-top:2rem;opacity:.7;font-size:.85rem}`;

const STATE_CLASS: Readonly<Record<AgentStatus['state'], string>> = {
  starting: 'warn',
  live: 'ok',
  'catching-up': 'warn',
  offline: 'bad',
  degraded: 'bad',
  stopping: 'warn',
};

/** Text made safe for HTML content and attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const WAY_LANES = { live: 'live samples', anomalies: 'live samples and anomalies' } as const;

export function renderStatusPage(status: AgentStatus): string {
  const { agent, state } = status;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(`${agent}: ${state}`)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(agent)} <span class="${STATE_CLASS[state]}">${state}</span></h1>
${table('Link to HQ', [...linkRows(status), ...estimateRows(status), ...budgetRows(status)])}
${table('Journal', journalRows(status))}
${table(
  'Sources',
  (status.pipeline?.sources ?? []).map((source) => [source.name, sourceText(source, status.now)]),
)}
${table(
  'Lately',
  status.troubles.map(({ ts, what, detail }) => [`${spanText(status.now - ts)} ago`, `${what}: ${detail}`]),
)}
<footer>holdfast ${escapeHtml(status.version)}, up ${spanText(status.now - status.startedTs)} · <a href="/status.json">status.json</a> · <a href="/metrics">metrics</a></footer>
</body></html>
`;
}

function table(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const body = rows
    .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join('\n');
  return `<h2>${escapeHtml(title)}</h2>\n<table>\n${body}\n</table>`;
}

function linkRows({ hq, way, uplink, now }: AgentStatus): Row[] {
  if (uplink === null) return [['HQ', hq]];
  const { phase, reason, paused, breaker, rttMs, clockOffsetMs, live, backlog } = uplink;
  const rows: Row[] = [
    ['HQ', hq],
    ...wayRows(way, now),
    [
      'Connection',
      phase + (reason === null ? '' : `: ${reason}`) + (paused === null ? '' : `, frames wait: ${paused}`),
    ],
    ['Circuit breaker', breaker],
  ];
  if (rttMs !== null) rows.push(['Round trip of acks', `${rttMs.toFixed(1)} ms`]);
  if (clockOffsetMs !== null)
    rows.push([
      'Clock against HQ',
      `${Math.abs(clockOffsetMs)} ms ${clockOffsetMs < 0 ? 'behind' : 'ahead'}`,
    ]);
  rows.push(['Frames in flight', `${live} live, ${backlog} backlog`]);
  return rows;
}

function wayRows(way: AgentStatus['way'], now: number): Row[] {
  if (way?.taken == null) return [];
  const { index, maxLane } = way.taken;
  return [
    ['Way', `${index + 1} of ${way.of}${maxLane === 'backlog' ? '' : `, for ${WAY_LANES[maxLane]} only`}`],
    ...way.failing.map(
      ({ way: { index: better, url }, reason, since }): Row => [
        `Way ${better + 1}`,
        `${url} does not work, for ${spanText(now - since)}: ${reason}`,
      ],
    ),
  ];
}

function diskText(disk: DiskState, pipeline: AgentStatus['pipeline']): string {
  switch (disk) {
    case 'good':
      return 'good';
    case 'full':
      return 'full: the journal keeps within the room that there is';
    case 'failing': {
      const { failure = null, uncommitted = 0 } = pipeline?.commit ?? {};
      return `failing: ${failure ?? 'the last commit failed'}; ${number(uncommitted)} samples wait in memory`;
    }
    case 'absent':
      return 'cannot be written: samples are kept in memory only';
  }
}

function journalRows({ journal, pipeline, lagMs, dataDir }: AgentStatus): Row[] {
  if (journal === null) return [['Directory', dataDir]];
  const dropped = Object.entries(journal.dropped).filter(([, count]) => count > 0);
  return [
    ['Pending', `${number(journal.pending)} samples in ${number(journal.pendingFrames)} frames`],
    ...(journal.thinned > 0 ? [['Of them thinned', number(journal.thinned)] satisfies Row] : []),
    ['Oldest unsent', journal.oldestPendingTs === null ? 'nothing waits' : `${spanText(lagMs)} old`],
    ['Used', `${bytesText(journal.pendingBytes)} of ${bytesText(journal.maxBytes)}`],
    ['Disk', diskText(journal.disk, pipeline)],
    ['Sampled', number(journal.sampled)],
    ['Confirmed by HQ', number(journal.acked)],
    ['Given up', dropped.length === 0 ? 'none' : dropped.map(([why, count]) => `${count} ${why}`).join(', ')],
    ['Epoch', journal.epoch],
    ['Directory', dataDir],
  ];
}

function sourceText(source: SourceStatus, now: number): string {
  const { state, samples, lastTs } = source;
  const newest = lastTs === null ? '' : `, newest ${spanText(now - lastTs)} ago`;
  const why = state.kind === 'restarting' ? `: ${state.reason}` : '';
  return `${state.kind}${why}, ${number(samples)} samples${newest}`;
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}
