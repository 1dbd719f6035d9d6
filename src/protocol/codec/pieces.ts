/** A large data frame for a slow link: pieces off its front that the link carries in a moment. */
import type { SeqRange } from '../coverage.ts';
import type { DataFrame } from '../frame.ts';
import { decodeData } from './decode.ts';
import { cut, lowerBound } from './reshape.ts';

export type Piece = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Whether one of its samples carries an anomaly or a diagnostic. */
  readonly notable: boolean;
  readonly bytes: Uint8Array;
};

export type PieceOptions = {
  /** What is wanted of the frame: ranges within it, in order. */
  readonly ranges: readonly SeqRange[];
  /** Bytes that a piece should have at most; a single sample may have more. */
  readonly maxBytes: number;
  /** Pieces to cut at most: bounds the time that one call takes. */
  readonly maxPieces: number;
  /**
   * Only pieces that begin with a notable sample; what is normal is passed over, and costs next to nothing. Default
   * false.
   */
  readonly onlyNotable?: boolean;
};

export type Pieces = {
  /** In seq order. */
  readonly pieces: readonly Piece[];
  /** What is wanted beyond them. */
  readonly rest: readonly SeqRange[];
};

/** A piece that has less than this of `maxBytes` is a waste of headers. */
const WELL_FILLED = 0.8;
/** To fill a piece well; each costs an encoding of it. */
const MAX_TRIES = 3;
const MAX_GROWTH = 4;

/** The first pieces of `ranges`; at least one, unless only notable ones are asked for. Throws FrameError. */
export function piecesOf(bytes: Uint8Array, options: PieceOptions): Pieces {
  const { ranges, maxBytes, maxPieces, onlyNotable = false } = options;
  const notable = onlyNotable ? notableSeqs(bytes) : null;
  const wanted = ranges.flatMap(([first, last]): SeqRange[] => startOf(notable, first, last));
  if (wanted.length === 0) return { pieces: [], rest: [] };
  const frame = decodeData(bytes);
  const bytesEach = bytes.length / frame.header.count;
  const pieces: Piece[] = [];
  let samples = Math.max(1, Math.floor(maxBytes / bytesEach));
  let rest = wanted;
  for (let head = rest[0]; head !== undefined && pieces.length < maxPieces; head = rest[0]) {
    const [from, last] = head;
    const [piece, next] = fitting(frame, { from, last, samples, maxBytes });
    pieces.push(piece);
    samples = next;
    rest = [...startOf(notable, piece.lastSeq + 1, last), ...rest.slice(1)];
  }
  return { pieces, rest };
}

/** Of `first` … `last` what begins with a seq of `notable` (all, where it is null); empty where there is none. */
function startOf(notable: Float64Array | null, first: number, last: number): SeqRange[] {
  const start = notable === null ? first : (notable[lowerBound(notable, first)] ?? last + 1);
  return start <= last ? [[start, last]] : [];
}

/** Seqs of the samples that carry an anomaly or a diagnostic, in order; steps over all values. */
function notableSeqs(bytes: Uint8Array): Float64Array {
  const { groups } = decodeData(bytes, { columns: () => 'none' });
  const seqs = groups.flatMap((group) => group.notes.map(({ row }) => group.seqs[row] ?? 0));
  return Float64Array.from(seqs).sort();
}

/** A piece from `from` on that fits, and how many samples the next one should have. */
function fitting(
  frame: DataFrame,
  { from, last, samples, maxBytes }: { from: number; last: number; samples: number; maxBytes: number },
): readonly [Piece, number] {
  let best: Piece | null = null;
  let count = Math.max(1, samples);
  for (let tries = 0; best === null || tries < MAX_TRIES; tries += 1) {
    const piece = pieceOf(frame, from, Math.min(last, from + count - 1));
    const size = piece.bytes.length;
    const held = piece.lastSeq - from + 1;
    const share = maxBytes / size;
    if (share >= 1 || held === 1) {
      if (best === null || piece.lastSeq > best.lastSeq) best = piece;
      // Larger pieces pack better, so that in proportion it may grow a little less.
      count = Math.floor(held * Math.min(share * 0.97, MAX_GROWTH));
      if (count <= held || share < 1 / WELL_FILLED || piece.lastSeq === last) break;
    } else {
      count = Math.max(1, Math.min(held - 1, Math.floor(held * share * 0.95)));
      if (best !== null && from + count - 1 <= best.lastSeq) break;
    }
  }
  return [best, best.lastSeq - from + 1];
}

function pieceOf(frame: DataFrame, firstSeq: number, lastSeq: number): Piece {
  const notable = frame.groups.some(({ seqs, notes }) =>
    notes.some(({ row }) => {
      const seq = seqs[row] ?? 0;
      return seq >= firstSeq && seq <= lastSeq;
    }),
  );
  return { firstSeq, lastSeq, notable, bytes: cut(frame, firstSeq, lastSeq) };
}
