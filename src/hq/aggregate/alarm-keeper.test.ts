import { of, Subject, throwError } from 'rxjs';
import { expect, it, vi } from 'vitest';
import type { AgentAlarm } from '../../protocol/api.ts';
import type { AlarmRecord } from '../store/alarms.ts';
import { createAlarmKeeper } from './alarm-keeper.ts';

type Changes = ReadonlyMap<string, AlarmRecord | null>;
const ALARM: AgentAlarm = { kind: 'lost_at_hq', since: 1, detail: 'd' };

it('gathers what comes while a commit is on its way', () => {
  const commits: Subject<void>[] = [];
  const batches: Changes[] = [];
  const saveAlarms = (changes: Changes) => {
    batches.push(changes);
    const commit = new Subject<void>();
    commits.push(commit);
    return commit;
  };
  const keeper = createAlarmKeeper(saveAlarms);
  for (const agent of ['a', 'b', 'c']) keeper.raised(agent, ALARM, 5);
  keeper.ended('b');
  expect(batches.map((batch) => [...batch.keys()])).toEqual([['a']]);
  commits[0]?.complete();
  expect(batches[1]).toEqual(
    new Map([
      ['b', null],
      ['c', { ...ALARM, lastTs: 5 }],
    ]),
  );
  commits[1]?.complete();
  keeper.retry();
  expect(batches).toHaveLength(2);
});

it('tries again what could not be written, unless there is news of it', () => {
  const saveAlarms = vi.fn((_: Changes) => throwError(() => new Error('disk full')));
  const keeper = createAlarmKeeper(saveAlarms);
  keeper.raised('a', ALARM, 5);
  keeper.raised('b', ALARM, 5);
  keeper.ended('a');
  saveAlarms.mockImplementation(() => of(undefined) as never);
  keeper.retry();
  expect(saveAlarms.mock.lastCall?.[0]).toEqual(
    new Map([
      ['a', null],
      ['b', { ...ALARM, lastTs: 5 }],
    ]),
  );
  saveAlarms.mockClear();
  keeper.retry();
  expect(saveAlarms).not.toHaveBeenCalled();
});

it('writes at once what has become of an alarm, and only once a minute that it goes on', () => {
  const saveAlarms = vi.fn((_: Changes) => of(undefined) as never);
  const keeper = createAlarmKeeper(saveAlarms);
  const more = { ...ALARM, detail: 'more of it' };
  keeper.raised('a', ALARM, 5);
  keeper.raised('a', more, 6);
  keeper.raised('a', more, 7);
  expect(saveAlarms.mock.calls.map(([changes]) => changes.get('a'))).toEqual([
    { ...ALARM, lastTs: 5 },
    { ...more, lastTs: 6 },
  ]);
  keeper.raised('a', more, 60_006);
  expect(saveAlarms).toHaveBeenCalledTimes(3);
});
