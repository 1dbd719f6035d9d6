/** Lives of an agent that replays a file: each ends where the test says, the next goes on with the same disk. */
import { lastValueFrom, takeWhile, toArray } from 'rxjs';
import type { Journal } from '../../../../journal/port.ts';
import { openOn } from '../../../../journal/testing/open-on.ts';
import { allPending } from '../../../../journal/testing/pending.ts';
import { createSystemClock } from '../../../../platform/clock.ts';
import { systemRandom } from '../../../../platform/random.ts';
import { decodeData, samplesOf } from '../../../../protocol/frame-codec.ts';
import type { Sample } from '../../../../protocol/sample.ts';
import type { MemoryDisk } from '../../../../storage/memory/memory-storage.ts';
import { createPipeline } from '../../../pipeline/pipeline.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../../../testing/pipeline-settings.ts';
import { replay } from './replays.ts';

const clock = createSystemClock();
const BIG = 2 ** 26;

type LifeOptions = {
  readonly path: string;
  readonly options: string;
  readonly disk: MemoryDisk;
  /** Samples of one commit at most. */
  readonly commitMaxCount: number;
  /** The process dies once so many samples of this run are durable. */
  readonly endAfter: number;
};

/** One life of an agent. Returns what its source said. */
export async function live({ path, options, disk, commitMaxCount, endAfter }: LifeOptions) {
  const journal = await openOn(disk, 'drop-oldest', BIG);
  const { source, events } = replay(path, options, { position: journal.position });
  const pipeline = createPipeline({
    sources: [source],
    journal,
    clock,
    random: systemRandom,
    emit: () => {},
    settings: { ...DEFAULT_PIPELINE_SETTINGS, commitMs: 1, commitMaxCount },
  });
  let durable = 0;
  await lastValueFrom(
    pipeline.appended$.pipe(
      takeWhile(({ frame }) => {
        durable += frame.lastSeq - frame.firstSeq + 1;
        return durable < endAfter;
      }, true),
      toArray(),
    ),
  );
  return { journal, events };
}

export async function samplesIn(journal: Journal): Promise<Sample[]> {
  const frames = await allPending(journal);
  return frames.flatMap(({ bytes }) =>
    samplesOf(decodeData(bytes), (ref) => journal.schema(ref)).map(({ sample }) => sample),
  );
}

/** Time and values of all samples in a journal. */
export async function contents(journal: Journal) {
  return (await samplesIn(journal)).map(({ ts, values }) => [ts, ...values]);
}
