import type { LinkReport } from '../../../protocol/events.ts';
import { Moment } from '../../components/time.tsx';
import { formatDuration, formatExact, NONE } from '../../format.ts';
import { Fact } from './fact.tsx';
import { budgetText, catchUpText, formatBitRate, pauseText } from './link-text.ts';

/** What an agent last said of its link; nothing where it says nothing. */
export function LinkFacts({
  link,
  connected,
}: {
  readonly link: LinkReport | null;
  readonly connected: boolean;
}) {
  if (link === null) return null;
  const { today, month, left } = budgetText(link);
  return (
    <>
      {connected && <CatchUp link={link} />}
      {connected && <LinkEstimate link={link} />}
      <Fact name="Carried today" hint="bytes of the socket both ways, in the day of the data budget">
        {today}
      </Fact>
      <Fact name="This month" hint="bytes of the socket both ways, in the month of the data budget">
        {month}
      </Fact>
      {left !== null && (
        <Fact
          name="Data budget"
          hint="of the day or the month, whichever has less left; a tenth is for anomalies"
        >
          {left} left
        </Fact>
      )}
    </>
  );
}

function CatchUp({ link }: { readonly link: LinkReport }) {
  const { text, band } = catchUpText(link);
  return (
    <Fact
      name="Caught up in"
      hint="pending bytes by how fast they shrink; the band is what the slow and the fast of the last ten minutes, or of six passes of a link that comes and goes, would give"
    >
      <span className={link.never === true ? 'bad' : undefined}>{text}</span>
      {band !== null && <span className="quiet"> {band}</span>}
    </Fact>
  );
}

function LinkEstimate({ link }: { readonly link: LinkReport }) {
  const { rate, minRttMs, queueMs, live, backlog } = link;
  return (
    <>
      <Fact name="Link rate" hint="what the link delivers, as the agent estimates it from HQ's answers">
        {rate === null ? NONE : formatBitRate(rate)}
      </Fact>
      <Fact name="Queueing delay" hint="beyond the least round trip of late">
        {queueMs === null ? NONE : formatDuration(queueMs)}{' '}
        {minRttMs !== null && <span className="quiet">over {formatDuration(minRttMs)}</span>}
      </Fact>
      <Fact name="In flight" hint="frames without HQ's answer">
        {formatExact(live)} live <span className="quiet">{formatExact(backlog)} backlog</span>
      </Fact>
    </>
  );
}

/** Why frames of an agent wait, in a row of its own; nothing while they go. */
export function PauseFact({ link }: { readonly link: LinkReport | null }) {
  if (link?.paused === undefined) return null;
  return (
    <Fact name="Frames wait" hint="why, by the agent's word, and until when" wide>
      <span className="warn">{pauseText(link.paused)}</span>
      {link.pausedUntil !== undefined && (
        <>
          , until <Moment ts={link.pausedUntil} />
        </>
      )}
    </Fact>
  );
}
