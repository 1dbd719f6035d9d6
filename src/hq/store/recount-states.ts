/** Steps of a recount over what is known of epochs and agents. */
import { countOf } from '../../protocol/coverage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { keysOf } from '../../storage/read-page.ts';
import type { Writer } from '../../storage/storage.ts';
import { decodeAgent, decodeEpochState, encodeEpochState, toJson } from './epoch-state.ts';
import { decodeMark, encodeMark } from './filed-mark.ts';
import { agentKey, agentRecordKey, epochKey, filedKey, kindRange, parseEpochKey } from './keys.ts';
import { damageDetail, loseForGood, neverToCome } from './lose-for-good.ts';
import { recountEpoch } from './recount-epoch.ts';
import { nameOf, presentOf, type Recount, type Step } from './recount-step.ts';
import { readRemoved } from './removed-seqs.ts';

const EPOCHS_PER_STEP = 128;
const AGENTS_PER_STEP = 512;

type Place = { readonly agent: string; readonly epoch: Epoch };

export function recountStates(recount: Recount): Step {
  let left: Place[] | null = null;
  return (writer) => {
    left ??= [...placesOf(writer, recount)];
    for (const place of left.splice(0, EPOCHS_PER_STEP)) recountState(writer, recount, place);
    return left.length > 0;
  };
}

function placesOf(writer: Writer, { present }: Recount): Iterable<Place> {
  const places = new Map<string, Place>();
  for (const kind of ['E', 'Q'] as const) {
    for (const key of keysOf(writer, kindRange(kind))) {
      const place = parseEpochKey(key);
      places.set(nameOf(place.agent, place.epoch), place);
    }
  }
  for (const name of present.keys()) {
    const at = name.lastIndexOf('/');
    places.set(name, { agent: name.slice(0, at), epoch: name.slice(at + 1) });
  }
  return places.values();
}

function recountState(writer: Writer, recount: Recount, place: Place): void {
  const { agent, epoch } = place;
  const saved = decodeEpochState(writer.get(epochKey(agent, epoch)));
  const removed = readRemoved(writer, agent, epoch);
  const present = presentOf(recount, writer, place);
  if (saved === undefined && removed === undefined && present.byKind.size === 0) {
    recount.tally.unreadable += 1;
    writer.remove(epochKey(agent, epoch));
    writer.remove(epochKey(agent, epoch, 'Q'));
    return;
  }
  recount.tally.epochs += 1;
  const counted = recountEpoch({ saved, removed, present });
  const known = decodeAgent(writer.get(agentKey(agent)));
  const owned = counted.state.owned || present.isHttp || known?.ownEpoch === epoch;
  const state = { ...counted.state, owned, mergedTo: 0, logTo: recount.nextNumber - 1 };
  const isOver = owned || (known !== undefined && known.epoch !== epoch);
  const gone = neverToCome(state, counted.lost, { owned, isOver });
  const source = { reader: writer, tail: () => [] };
  const final = loseForGood(writer, source, { ...place, state, gone, now: recount.now });
  note(recount, agent, countOf(counted.lost), countOf(gone));
  writer.put(epochKey(agent, epoch), encodeEpochState(final));
  if (counted.removed.coverage.contiguous + counted.removed.coverage.ranges.length > 0)
    writer.put(epochKey(agent, epoch, 'Q'), toJson(counted.removed));
  else writer.remove(epochKey(agent, epoch, 'Q'));
}

function note({ losses, tally }: Recount, agent: string, taken: number, lost: number): void {
  if (taken + lost === 0) return;
  const again = Math.max(0, taken - lost);
  const known = losses.get(agent) ?? { again: 0, lost: 0 };
  losses.set(agent, { again: known.again + again, lost: known.lost + lost });
  tally.again += again;
  tally.lost += lost;
}

/** What was counted of the frames of each agent. */
export function saveMarks({ bytes }: Recount): Step {
  let left: (readonly [string, number])[] | null = null;
  return (writer) => {
    left ??= [...bytes];
    for (const [agent, taken] of left.splice(0, AGENTS_PER_STEP)) {
      const number = decodeMark(writer.get(filedKey(agent)))?.number ?? 0;
      writer.put(filedKey(agent), encodeMark({ number, bytes: taken }));
    }
    return left.length > 0;
  };
}

/** HQ gives out seqs of an epoch of its own that begins now: which of the last it gave out nobody knows for sure. */
export function forgetOwnEpoch(writer: Writer, key: Uint8Array): number {
  const record = decodeAgent(writer.get(key));
  if (record !== undefined && record.ownEpoch !== null)
    writer.put(key, toJson({ ...record, ownEpoch: null }));
  return 0;
}

/** An alarm for each agent of which something is gone. */
export function tellAlarms({ losses, now }: Recount): Step {
  let left: (readonly [string, { readonly again: number; readonly lost: number }])[] | null = null;
  return (writer) => {
    left ??= [...losses];
    for (const [agent, { again, lost }] of left.splice(0, AGENTS_PER_STEP)) {
      const alarm = {
        kind: 'damaged_at_hq',
        since: now,
        detail: damageDetail(agent, { again, lost }),
        lastTs: now,
      };
      writer.put(agentRecordKey('W', agent), toJson(alarm));
    }
    return left.length > 0;
  };
}
