/**
 * Removes rollups that are to be made again of the raw samples. What is older than those stays: nothing could make it
 * again. Of an agent that has lost raw samples nothing stays, as what is lost may come again, and would count twice.
 */
import { concat, defer, EMPTY, expand, ignoreElements, type Observable } from 'rxjs';
import { entriesOf } from '../../storage/read-page.ts';
import type { Reader, Storage, Writer } from '../../storage/storage.ts';
import { RESOLUTIONS } from '../rollups/resolutions.ts';
import { toJson } from './epoch-state.ts';
import { entryRange, hourRange, kindRange, parseTimeKey, RECOUNT_KEY } from './keys.ts';
import { decodeLogEntry, readLogEntry, tailEntryOf } from './log-entry.ts';
import { eachKey, type Step } from './recount-step.ts';
import { agentOfRollup, parseRollupKey, rollupStateKey } from './rollup-keys.ts';

/** Visits a key of rollups: all of them have to be visited before anything is added. */
export function createRollupReset(
  reader: Reader,
  hasLost: (agent: string) => boolean = () => false,
): (writer: Writer, key: Uint8Array) => number {
  const oldestInLog = new Map<string, number>();
  for (const { value } of entriesOf(reader, entryRange(0))) {
    const ts = timeOf(reader, value);
    if (ts !== undefined)
      oldestInLog.set(ts.agent, Math.min(ts.tsMin, oldestInLog.get(ts.agent) ?? ts.tsMin));
  }
  return (writer, key) => {
    const agent = agentOfRollup(key);
    // What holds for all agents stays.
    if (agent === '') return 0;
    if (key.length === rollupStateKey(agent).length) {
      writer.remove(key);
      return 0;
    }
    const value = writer.get(key);
    const { resolution, block } = parseRollupKey(key);
    const end = (block + 1) * (RESOLUTIONS[resolution]?.blockMs ?? 0);
    const oldest = Math.min(oldestInIndex(writer, agent), oldestInLog.get(agent) ?? Number.POSITIVE_INFINITY);
    if (value === undefined || end > oldest || hasLost(agent)) writer.remove(key);
    return value?.length ?? 0;
  };
}

function timeOf(
  reader: Reader,
  value: Uint8Array,
): { readonly agent: string; readonly tsMin: number } | undefined {
  const entry = decodeLogEntry(value);
  if (entry === undefined) return undefined;
  try {
    const whole = entry.isFiled ? readLogEntry(reader, entry.record.logNumber) : entry;
    return whole && { agent: entry.agent, tsMin: tailEntryOf(whole).tsMin };
  } catch {
    return undefined;
  }
}

/** Infinity where the agent has none there. */
function oldestInIndex(reader: Reader, agent: string): number {
  const ranges = [hourRange(agent, 'wide', 'wide'), hourRange(agent, 1 - 2 ** 32, 2 ** 32)];
  const firsts = ranges.flatMap((range) => reader.keys({ ...range, limit: 1 }).map(parseTimeKey));
  return Math.min(...firsts.map(({ tsMin }) => tsMin), Number.POSITIVE_INFINITY);
}

/**
 * Removes the rollups of all agents, so that they are made again once the store is used. One that does not come to its
 * end leaves the mark of a recount, which removes them, too. Completes when it is durable.
 */
export function forgetRollups(storage: Storage): Observable<never> {
  return defer(() => {
    let step: Step | null = null;
    const remove: Step = (writer) => {
      step ??= eachKey(kindRange('U'), createRollupReset(writer));
      return step(writer);
    };
    return concat(
      storage.commit((writer) => writer.put(RECOUNT_KEY, toJson({ log: 0 }))),
      storage.commit(remove).pipe(expand((more) => (more ? storage.commit(remove) : EMPTY))),
      storage.commit((writer) => writer.remove(RECOUNT_KEY)),
    ).pipe(ignoreElements());
  });
}
