import type { AgentSummary } from '../../../protocol/api.ts';
import { Advice } from '../../components/command.tsx';
import { PendingCell } from '../../components/pending-cell.tsx';
import { REFUSAL_TEXTS } from '../../components/refusal-texts.ts';
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
      <RefusalFact refusal={summary.refusal} />
      {summary.over === 'http' && <SenderFact summary={summary} />}
      {summary.over === 'link' && <LinkFact summary={summary} />}
      <Fact name="Heard of" hint="when HQ last got anything of it: what it says of itself is that old">
        <Age ts={summary.heardTs} ago />
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

function LinkFact({
  summary: { connected, connectedSince, stateSince },
}: {
  readonly summary: AgentSummary;
}) {
  return (
    <Fact name="Link" hint="since when it carries, or carries nothing">
      {connected ? (
        <>
          up for <Age ts={connectedSince} />
        </>
      ) : (
        <span className="bad">
          down{stateSince !== null && ' for '}
          {stateSince !== null && <Age ts={stateSince} />}
        </span>
      )}
    </Fact>
  );
}

/** Why HQ does not let it in, and what to do, in a row of its own. */
function RefusalFact({ refusal }: Pick<AgentSummary, 'refusal'>) {
  if (refusal === null) return null;
  return (
    <Fact name="Refused" hint="what HQ answers to its hello, and what to do about it" wide>
      <span className="bad">{REFUSAL_TEXTS[refusal.reason]}</span>, since <Moment ts={refusal.since} />:{' '}
      {refusal.detail}. What to do: <Advice text={`${refusal.advice}.`} />
    </Fact>
  );
}

/** Who delivers by HTTP holds no link that could be up or down. */
function SenderFact({ summary: { deliversEveryMs } }: { readonly summary: AgentSummary }) {
  return (
    <Fact name="Delivers" hint="by HTTP; usual time between its deliveries">
      {deliversEveryMs === null ? 'by HTTP' : `every ${formatDuration(deliversEveryMs)}`}
    </Fact>
  );
}
