/**
 * Appends one after another. Under policy `block` those that find no room wait in line, and everything behind them too,
 * so that samples keep their order; what frees room calls `retry`.
 */
import { Observable, type Subscription } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { SampleRows } from '../../protocol/sample-block.ts';
import type { Storage, Writer } from '../../storage/storage.ts';
import { createEditor, type JournalEditor } from '../editor.ts';
import type { Ledger } from '../ledger.ts';
import type { Appended, OverflowPolicy } from '../port.ts';
import { appendSamples, NoRoom } from './append-frames.ts';

export type AppendLineOptions = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly policy: OverflowPolicy;
  /** Bytes that frames may occupy now. */
  readonly limitBytes: () => number;
  /** Within the transaction of an append. */
  readonly onAppend: (editor: JournalEditor) => void;
  readonly onCommitted: (ledger: Ledger, overflowed: boolean) => void;
  /** A commit failed; those who asked for it are told after this. */
  readonly onFailed: (error: unknown) => void;
  /** An append has to wait. */
  readonly onBlocked: () => void;
};

export type AppendLine = {
  /** Emits once all is durable, then completes. */
  readonly append: (samples: readonly SampleRows[]) => Observable<readonly Appended[]>;
  /** There may be room again. */
  readonly retry: () => void;
};

/** One subscribed append. */
type Turn = { start: () => void; running: boolean };

/** What an append made of its samples in a commit that has not been confirmed. */
type Attempt = {
  readonly samples: readonly SampleRows[];
  readonly appended: readonly Appended[];
  /** Highest seq that it gave out. */
  readonly lastSeq: number;
};

/** As many as can fail together. */
const MAX_ATTEMPTS = 256;

export function createAppendLine(options: AppendLineOptions): AppendLine {
  const { storage, clock, policy, limitBytes, onAppend, onCommitted, onFailed, onBlocked } = options;
  const parked: Turn[] = [];
  let attempts: readonly Attempt[] = [];
  const forget = (samples: readonly SampleRows[]) => {
    attempts = attempts.filter((one) => one.samples !== samples);
  };

  const retry = () => {
    const head = parked[0];
    if (head !== undefined && !head.running) head.start();
  };
  const leave = (turn: Turn) => {
    const index = parked.indexOf(turn);
    if (index < 0) return;
    parked.splice(index, 1);
    if (index === 0) retry();
  };

  const work = (writer: Writer, turn: Turn, samples: readonly SampleRows[]) => {
    const park = () => {
      if (!parked.includes(turn)) parked.push(turn);
      return new NoRoom();
    };
    if (parked.length > 0 && parked[0] !== turn) throw park();
    const editor = createEditor(writer, clock.now());
    const { sampled } = editor.ledger;
    // Seqs are given out in one order, by these works alone: an attempt whose seqs the ledger has not reached did not
    // get through, and they are given out again now. One whose seqs it has reached did, whatever became of its frames
    // since.
    attempts = attempts.filter(({ lastSeq }) => lastSeq <= sampled);
    const earlier = attempts.find((one) => one.samples === samples);
    if (earlier !== undefined) {
      return { appended: earlier.appended, overflowed: false, ledger: editor.finish() };
    }
    try {
      onAppend(editor);
      const result = appendSamples(writer, editor, { samples, policy, limitBytes: limitBytes() });
      const attempt = { samples, appended: result.appended, lastSeq: editor.ledger.sampled };
      attempts = [...attempts, attempt].slice(-MAX_ATTEMPTS);
      return { ...result, ledger: editor.finish() };
    } catch (error) {
      throw error instanceof NoRoom ? park() : error;
    }
  };

  return {
    append: (samples) =>
      new Observable<readonly Appended[]>((subscriber) => {
        if (samples.length === 0) {
          subscriber.complete();
          return undefined;
        }
        let commit: Subscription | null = null;
        const turn: Turn = {
          running: false,
          start: () => {
            turn.running = true;
            commit = storage
              .commit((writer) => work(writer, turn, samples))
              .subscribe({
                next: ({ appended, overflowed, ledger }) => {
                  turn.running = false;
                  forget(samples);
                  onCommitted(ledger, overflowed);
                  leave(turn);
                  subscriber.next(appended);
                  subscriber.complete();
                },
                error: (error: unknown) => {
                  turn.running = false;
                  if (error instanceof NoRoom) {
                    onBlocked();
                    return;
                  }
                  leave(turn);
                  onFailed(error);
                  subscriber.error(error);
                },
              });
          },
        };
        turn.start();
        return () => {
          commit?.unsubscribe();
          leave(turn);
        };
      }),
    retry,
  };
}
