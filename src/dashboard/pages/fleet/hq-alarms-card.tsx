import { bind } from '@react-rxjs/core';
import { alarmSchema, HQ_ALARM_KINDS, type HqAlarmKind } from '../../../protocol/api.ts';
import { WarningIcon } from '../../components/icons.tsx';
import { Age } from '../../components/time.tsx';
import { NOT_LOADED, poll, requestAll } from '../../state/api.ts';

const [useAlarmList] = bind(
  poll(10_000, () => requestAll('api/v1/alarms?', alarmSchema)),
  NOT_LOADED,
);

const TITLES: Readonly<Record<HqAlarmKind, string>> = {
  storage_failing: 'HQ stores nothing',
  storage_damaged: 'Storage was damaged',
  registry_full: 'No place for more agents',
  connections_full: 'No more connections',
  connections_of_address: 'Too many connections of one address',
};

const kindOf = (kind: string): HqAlarmKind | undefined => HQ_ALARM_KINDS.find((one) => one === kind);

/** Alarms of HQ itself; nothing where there are none. Those of agents are in the banner of every page. */
export function HqAlarmsCard() {
  const { data } = useAlarmList();
  const own = (data ?? []).flatMap((alarm) => {
    const kind = alarm.agent === null ? kindOf(alarm.kind) : undefined;
    return kind === undefined ? [] : [{ ...alarm, kind }];
  });
  if (own.length === 0) return null;
  return (
    <section className="card hq-alarms" aria-labelledby="hq-alarms-title">
      <div className="card-head">
        <h2 id="hq-alarms-title">Alarms of HQ</h2>
      </div>
      <div role="alert">
        <ul>
          {own.map(({ kind, since, detail }) => (
            <li key={kind}>
              <WarningIcon />
              <div>
                <strong>{TITLES[kind]}</strong>{' '}
                <span className="quiet">
                  for <Age ts={since} />
                </span>
                <p>{detail}</p>
              </div>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
