/**
 * Counts all that the store holds again. It runs at a start before which damage was met (the data file was salvaged, or
 * a record could not be read), and where an operator asks for it (`--rebuild index`). What is left is trusted by
 * itself: each frame, log entry and gap stands for its seqs, once.
 *
 * - What the ledger claimed beyond them, and retention has not removed, is taken back (recount-epoch.ts). Agents send
 *   again what they still have of it; what they have released, or what came by HTTP, is a `lost_at_hq` gap at once.
 * - Frames of the log are filed; the index by time and arrival is written anew; consumers read again from the start,
 *   and rollups are made again but for what is older than all that is left.
 * - Numbers of the log go on beyond all that any record names, by SKIPPED_NUMBERS.
 * - An idempotency key is known again where either of its two records is left. Where both are gone it is forgotten, and
 *   a delivery that comes again under it is stored again; nobody can know how many there were.
 *
 * A mark (K) is written before anything else and removed with the last step: a start that finds it begins again. Each
 * step is a commit of its own, and may be done twice.
 */
import { concat, defer, EMPTY, expand, ignoreElements, type Observable } from 'rxjs';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { entriesOf } from '../../storage/read-page.ts';
import type { Storage, Writer } from '../../storage/storage.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { agentOfFiled, asBuffer, kindRange, META_KEY, parsePurgeKey, RECOUNT_KEY } from './keys.ts';
import { lastNumberIn } from './last-number.ts';
import { decodePurge } from './purge-record.ts';
import type { Rebuild } from './rebuild-parts.ts';
import { createEpisodeCount } from './recount-episodes.ts';
import { countEntry, countFrame, countGap } from './recount-frames.ts';
import { mendExpiry, mendKey } from './recount-keys.ts';
import { forgetOwnEpoch, recountStates, saveMarks, tellAlarms } from './recount-states.ts';
import { eachKey, type Recount, type Step } from './recount-step.ts';
import { createRollupReset } from './rollup-reset.ts';
import type { StoreEmit } from './store-events.ts';
import { encodeNumber } from './view.ts';

export type RecountOptions = {
  readonly storage: Storage;
  readonly clock: Pick<Clock, 'now'>;
  /** Samples further ahead of HQ's clock are not taken for the latest, ms. */
  readonly maxAheadMs: number;
  readonly emit: StoreEmit;
};

/** More than the log may have been given since the last record that names a number was written. */
const SKIPPED_NUMBERS = 2 ** 20;
const markSchema = z.object({ log: z.number().int().min(0) });

const RECOUNT_RANGE = { from: RECOUNT_KEY, to: Buffer.from('L') };

/** Whether all has to be counted again, and why: damage that was met before or from now on. `end` says so once more. */
export function watchDamage(storage: Storage, rebuild: readonly Rebuild[] = []) {
  const isDue = storage.read((reader) => reader.keys({ ...RECOUNT_RANGE, limit: 1 })).length > 0;
  let met: string | null = isDue ? 'damage was met before, and not all was counted again since' : null;
  if (rebuild.includes('index')) met = 'asked for with --rebuild index';
  const watch = storage.damage$.subscribe(({ detail }) => {
    met ??= detail;
  });
  return {
    met: (): string | null => met,
    end: (): string | null => {
      watch.unsubscribe();
      return met;
    },
  };
}

/** Completes when all is counted, and durable. */
export function recountStore({ storage, clock, maxAheadMs, emit }: RecountOptions): Observable<never> {
  return defer(() => {
    const recount: Recount = {
      now: clock.now(),
      present: new Map(),
      leaving: new Set(),
      written: new Set(),
      losses: new Map(),
      bytes: new Map(),
      schemas: new Map(),
      tally: { frames: 0, unreadable: 0, epochs: 0, again: 0, lost: 0, keys: 0 },
      nextNumber: 0,
    };
    const episodes = createEpisodeCount(recount.now + maxAheadMs);
    const steps: readonly Step[] = [
      (writer) => begin(writer, recount),
      eachKey(kindRange('L'), removeIt),
      eachKey(kindRange('T'), removeIt),
      ...(['A', 'S', 'W', 'B', 'R', 'M'] as const).map((kind) =>
        eachKey(kindRange(kind), (writer, key) => removeUnreadable(writer, key, recount)),
      ),
      eachKey(kindRange('F'), (writer, key) => countFrame(writer, key, recount)),
      eachKey(kindRange('J'), (writer, key) => countEntry(writer, key, recount)),
      eachKey(kindRange('G'), (writer, key) => countGap(writer, key, recount)),
      eachKey(kindRange('M'), (_, key) => {
        recount.bytes.set(agentOfFiled(key), recount.bytes.get(agentOfFiled(key)) ?? 0);
        return 0;
      }),
      saveMarks(recount),
      recountStates(recount),
      resetRollups(recount),
      eachKey(kindRange('A'), forgetOwnEpoch),
      eachKey(kindRange('I'), episodes.reset),
      eachKey(kindRange('N'), episodes.count),
      episodes.save,
      eachKey(kindRange('X'), (writer, key) => mendKey(writer, key, recount)),
      eachKey(kindRange('D'), (writer, key) => mendExpiry(writer, key, recount)),
      eachKey(kindRange('C'), removeIt),
      tellAlarms(recount),
      (writer) => end(writer, recount),
    ];
    const run = (step: Step) =>
      storage.commit(step).pipe(
        expand((more) => (more ? storage.commit(step) : EMPTY)),
        ignoreElements(),
      );
    const done = defer(() => {
      emit({ type: 'store_recounted', ...recount.tally });
      return EMPTY;
    });
    return concat(...steps.map(run), done);
  });
}

/** They have missed all that is left, and read it again; of agents that have lost something nothing stays. */
function resetRollups({ losses }: Recount): Step {
  let step: Step | null = null;
  return (writer) => {
    step ??= eachKey(
      kindRange('U'),
      createRollupReset(writer, (agent) => losses.has(agent)),
    );
    return step(writer);
  };
}

function removeIt(writer: Writer, key: Uint8Array): number {
  writer.remove(key);
  return 0;
}

function removeUnreadable(writer: Writer, key: Uint8Array, { tally }: Recount): number {
  const value = writer.get(key);
  if (value !== undefined) return value.length;
  tally.unreadable += 1;
  writer.remove(key);
  return 0;
}

function begin(writer: Writer, recount: Recount): boolean {
  const mark = markSchema.safeParse(parseJson(writer.get(RECOUNT_KEY)));
  const meta = writer.get(META_KEY);
  const log = meta?.length === 12 ? asBuffer(meta).readUIntBE(6, 6) : 0;
  const before = Math.max(mark.success ? mark.data.log : 0, log, lastNumberIn(writer) + 1);
  recount.nextNumber = before + SKIPPED_NUMBERS;
  writer.put(RECOUNT_KEY, toJson({ log: recount.nextNumber }));
  for (const { key, value } of entriesOf(writer, kindRange('Z'))) {
    const { agent, epoch } = parsePurgeKey(key);
    if (epoch === null && decodePurge(value)?.phase === 'emptying') recount.leaving.add(agent);
  }
  return false;
}

/** The revision goes on from the one that there was: nobody has a view of it. */
function end(writer: Writer, { nextNumber }: Recount): boolean {
  const meta = writer.get(META_KEY);
  const revision = meta?.length === 12 ? asBuffer(meta).readUIntBE(0, 6) : 0;
  writer.put(META_KEY, Buffer.concat([encodeNumber(revision + 1), encodeNumber(nextNumber)]));
  writer.remove(RECOUNT_KEY);
  return false;
}
