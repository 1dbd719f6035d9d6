import type { AgentAlarm } from '../../protocol/fleet.ts';
import { useAlarms } from '../state/fleet.ts';
import { WarningIcon } from './icons.tsx';
import { Moment } from './time.tsx';

const MEANING: Readonly<Record<AgentAlarm['kind'], string>> = {
  duplicate_agent: 'two agents claim this id',
  forked_epoch: 'a copy of its journal came and begins a new epoch',
};

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
            <Moment ts={alarm?.since ?? null} /> ({alarm?.detail}). Give each its own id, and a cloned disk
            its own life: <code>holdfast agent --id NAME --new-epoch</code>
          </li>
        ))}
      </ul>
    </div>
  );
}
