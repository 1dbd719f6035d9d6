import type { ReactNode } from 'react';
import type { AgentAlarm } from '../../protocol/api.ts';
import { Command } from '../components/command.tsx';
import { WarningIcon } from '../components/icons.tsx';
import { Moment } from '../components/time.tsx';
import { useAlarms } from '../state/fleet.ts';

const MEANING: Readonly<Record<AgentAlarm['kind'], string>> = {
  duplicate_agent: 'two agents claim this id',
  forked_epoch: 'HQ refused the epoch of its journal, which begins a new one',
  lost_at_hq: 'HQ no longer holds what it had acked',
  damaged_at_hq: 'damage of its data has cost HQ samples',
  agent_disk: 'the disk of its journal is in trouble',
  clock_ahead: 'its samples are dated in the future',
  over_quota: 'its samples take more of the storage of HQ than they may',
};

/** What to do about it. */
const ADVICE: Readonly<Record<AgentAlarm['kind'], ReactNode>> = {
  duplicate_agent: <OwnLife />,
  forked_epoch: (
    <>
      A damaged journal needs no more. <OwnLife />
    </>
  ),
  agent_disk: 'Free some space on it, make it writable or replace it: the agent goes on by itself then.',
  clock_ahead: 'Set the clock of its machine, or the unit of its times: seconds, ms, µs.',
  over_quota: 'Its oldest samples are removed. Raise limits.maxBytesPerAgent, or measure less often.',
  lost_at_hq: 'What the agent still had has come again; the ledger names the rest.',
  damaged_at_hq: 'Check the disk of HQ. The agent sends again what it still has; the ledger names the rest.',
};

function OwnLife() {
  return (
    <>
      Give each its own id, and a cloned disk its own life:{' '}
      <Command text="holdfast agent --id NAME --new-epoch" />
    </>
  );
}

/** What operators should see to: each agent that has an alarm, with what to do. */
export function AlarmBanner() {
  const alarms = useAlarms();
  if (alarms.length === 0) return null;
  return (
    <div className="banner banner-bad" role="alert">
      <WarningIcon />
      <ul className="alarms">
        {alarms.map(({ id, alarm }) => (
          <li key={id}>
            <a href={`#/agents/${encodeURIComponent(id)}`}>{id}</a>: {alarm && MEANING[alarm.kind]}, since{' '}
            <Moment ts={alarm?.since ?? null} /> ({alarm?.detail}). {alarm && ADVICE[alarm.kind]}
          </li>
        ))}
      </ul>
    </div>
  );
}
