/** What reads the rows of a CSV file, in whichever layout they are. */
import type { Series } from '../../../protocol/sample.ts';
import type { BlockBuilder } from './block-builder.ts';
import type { NumberStyle } from './cells.ts';
import type { HeadOptions } from './head.ts';
import type { TimeColumns } from './header.ts';
import type { TimeOptions } from './times/times.ts';
import type { UnreadableCells } from './unreadable.ts';

export type CsvRow =
  | {
      readonly kind: 'row';
      readonly line: number;
      readonly ts: number;
      /** null: missing, or not to be read. */
      readonly values: readonly (number | null)[];
      /** Rows of the file that it is made of. Default: one. */
      readonly rows?: number;
    }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string };

export type CsvShape = {
  readonly timeColumn: string;
  readonly series: readonly Series[];
  /** Columns of text, which are no series. */
  readonly ignored: readonly string[];
  /** What may read those, to be added to a message. */
  readonly advice: string;
  /** It takes the place of one before it, as further series have come. */
  readonly isNext?: boolean;
};

/** A place between two rows. */
export type CsvPlace = {
  /** Bytes of the file before it. */
  readonly offset: number;
  /** Of the row behind it, from 1. */
  readonly line: number;
  /** The last bytes before it. */
  readonly tail: Buffer;
};

export type CsvReader = {
  /** Only after `next` or `fill` found nothing left; the bytes must not change until they do again. */
  readonly push: (bytes: Buffer) => void;
  readonly end: () => void;
  /** No more bytes come for now: those that have come have to do for telling what the columns hold. */
  readonly settle: () => void;
  /**
   * The next row; null when more text is needed or none is left. Throws CsvError when the file cannot be replayed at
   * all.
   */
  readonly next: () => CsvRow | null;
  /** The next row of the file by itself, where `next` makes one of several: for rows that are passed over. */
  readonly one: () => CsvRow | null;
  /**
   * As `next` for as many rows as the builder has place for, good ones into it: far cheaper a row. Returns the bad row
   * that ends it; null when it is full, more text is needed or none is left. Undefined: it gives single rows only.
   */
  readonly fill?: (into: BlockBuilder) => Extract<CsvRow, { kind: 'bad' }> | null;
  /** Nothing more has come for a while. Whether `next` has a row now that waited for more. */
  readonly idle: () => boolean;
  readonly ended: () => boolean;
  /** Known before the first row is given; null until then. Another object: the series are others from here on. */
  readonly shape: () => CsvShape | null;
  /** Where the next row begins; null where that cannot be told, as in the midst of a line. */
  readonly place: () => CsvPlace | null;
  /** Goes on at such a place, once the shape is known: the next bytes that are pushed are those from there on. */
  readonly seek: (place: CsvPlace) => void;
  readonly unreadable: Pick<UnreadableCells, 'take'>;
};

/** How a file with one value a row is read. */
export type LongOptions = TimeColumns & {
  /** The column that names the metric; default: found by its name. */
  readonly metric?: string | undefined;
  /** The column of values; default: `value`. */
  readonly value?: string | undefined;
  /** Labels in `labels_raw` that are attributes. */
  readonly labels: readonly string[];
};
export type LongReaderOptions = CsvReaderOptions & LongOptions;

export type CsvReaderOptions = HeadOptions & {
  readonly times: TimeOptions;
  readonly numbers: NumberStyle;
};
