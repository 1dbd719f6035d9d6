import { PendingCell } from '../../components/pending-cell.tsx';
import { ShareMeter, shareOf } from '../../components/share-meter.tsx';
import { Age, Moment } from '../../components/time.tsx';
import { formatDuration, formatExact, formatOffset, formatRate, NONE } from '../../format.ts';
import type { AgentEntry } from '../../state/fleet-state.ts';
import { Fact } from './fact.tsx';
import { LinkFacts, PauseFact } from './link-facts.tsx';

const orNone = (value: number | null, format: (value: number) => string): string =>
  value === null ? NONE : format(value);

/** What HQ knows of an agent, in one grid. */
export function AgentFacts({ entry }: { readonly entry: AgentEntry }) {
  const { summary } = entry;
  return (
    <dl className="card facts" aria-label="Facts">
      <PauseFact link={summary.link} />
      <Fact name="Link" hint="since when this connection stands">
        {summary.connected ? (
          <>
            up for <Age ts={summary.connectedSince} />
          </>
        ) : (
          <span className="bad">down</span>
        )}
      </Fact>
      <Fact name="Last sample" hint="by the agent's clock">
        <Moment ts={summary.lastSampleTs} />
      </Fact>
      <Fact name="Last arrival" hint="by HQ's clock">
        <Age ts={summary.lastArrivalTs} ago />
      </Fact>
      <Fact name="Lag" hint="from sampling to durable at HQ, newest live frame, clocks corrected">
        {orNone(summary.lagMs, formatDuration)}
      </Fact>
      <Fact name="Round trip" hint="smoothed round trip of acks">
        {orNone(summary.rttMs, formatDuration)}
      </Fact>
      <Fact name="Clock offset" hint="the agent's wall clock minus HQ's">
        {orNone(summary.clockOffsetMs, formatOffset)}
      </Fact>
      <Fact name="Rate" hint="samples stored a second, over the last 10 s">
        {formatRate(summary.samplesPerSecond)}
      </Fact>
      <Fact name="Pending">
        <PendingCell entry={entry} />
      </Fact>
      <LinkFacts link={summary.link} connected={summary.connected} />
      <Fact name="Complete">
        <ShareMeter share={summary.completeness} thinned={shareOf(summary.thinned, summary.sampled)} />
      </Fact>
      <Fact name="Stored" hint="whole samples">
        {formatExact(summary.stored)}
      </Fact>
      <Fact name="Thinned" hint="samples of which only statistics are left: the agent's journal was full">
        {formatExact(summary.thinned)}
      </Fact>
      <Fact name="Dropped">
        <span className={summary.dropped > 0 ? 'bad' : undefined}>{formatExact(summary.dropped)}</span>
      </Fact>
      <Fact name="Anomalies" hint="open now, of all so far">
        <span className={summary.openAnomalies > 0 ? 'anomaly' : undefined}>
          {formatExact(summary.openAnomalies)} open
        </span>{' '}
        <span className="quiet">of {formatExact(summary.anomaliesTotal)}</span>
      </Fact>
      <Fact name="Series">{formatExact(summary.seriesCount)}</Fact>
      <Fact name="Epoch" hint="id of the journal's life">
        <code>{summary.epoch ?? NONE}</code>
      </Fact>
      <Fact name="Version">{summary.version ?? NONE}</Fact>
    </dl>
  );
}
