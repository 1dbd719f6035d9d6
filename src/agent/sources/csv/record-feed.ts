/** The records of a CSV file from its bytes as they arrive: where its header stands, and each record after it. */
import type { ByteFeed } from './byte-feed.ts';
import { CsvError } from './csv-error.ts';
import { findHead, type Head, type HeadOptions } from './head.ts';
import type { CsvPlace } from './reader.ts';
import { type CsvRecord, createRecordSplitter, type RecordSplitter } from './records.ts';

/** How far the bytes of one reader are read. */
export type RecordFeed = {
  readonly feed: ByteFeed;
  readonly options: HeadOptions;
  /** Text in which the header is looked for. */
  head: string;
  /** No more bytes come for now. */
  settled: boolean;
  /** No more bytes come. */
  over: boolean;
  /** The splitter knows that no more text comes. */
  toldOver: boolean;
};

export function createRecordFeed(feed: ByteFeed, options: HeadOptions): RecordFeed {
  return { feed, options, head: '', settled: false, over: false, toldOver: false };
}

export type OpenRecords = {
  readonly delimiter: string;
  readonly splitter: RecordSplitter;
  /** Cells of the header. */
  readonly cells: readonly string[];
};

/** Waits, with null, for as much text as it takes to find the header. Throws CsvError when it cannot be read. */
export function openRecords(records: RecordFeed): OpenRecords | null {
  const head = takeHead(records);
  if (head === null) return null;
  const { delimiter } = head;
  const splitter = createRecordSplitter(delimiter);
  splitter.passLines(head.lines);
  splitter.push(head.text);
  records.head = '';
  const record = nextRecord(records, splitter);
  if (record === null) throw new CsvError('the header is not complete: a quote is not closed');
  if ('problem' in record) throw new CsvError(`the header cannot be read: ${record.problem}`);
  return { delimiter, splitter, cells: record.cells };
}

function takeHead(records: RecordFeed): Head | null {
  const { feed, options } = records;
  for (;;) {
    records.head = `${records.head}${feed.takeSome()}`.replace(/^\uFEFF/, '');
    const isTaken = feed.at >= feed.bytes().length;
    const hasText = records.head.trim() !== '';
    const isAll = isTaken && (records.over || (records.settled && hasText));
    const found = findHead(records.head, isAll, options);
    if (found !== null || isTaken) return found;
  }
}

/** The next record, from as little text as it needs: what lies behind it may be read as bytes. */
export function nextRecord(records: RecordFeed, splitter: RecordSplitter): CsvRecord | null {
  const { feed } = records;
  for (;;) {
    const record = splitter.next();
    if (record !== null) return record;
    const text = feed.takeLine();
    if (text !== null) splitter.push(text);
    else if (records.over && !records.toldOver) {
      records.toldOver = true;
      splitter.push(feed.takeRest());
      splitter.end();
    } else return null;
  }
}

/** Rows looked at to tell what the columns hold, and further ones that have come with them. */
const ROWS_TO_JUDGE = 20;
const MOST_ROWS_TO_JUDGE = 500;

/** Gathers the records that the columns are judged by; whether they are enough. */
export function gatherToJudge(records: RecordFeed, splitter: RecordSplitter, into: CsvRecord[]): boolean {
  while (into.length < MOST_ROWS_TO_JUDGE) {
    const record = nextRecord(records, splitter);
    if (record !== null) into.push(record);
    else return into.length >= ROWS_TO_JUDGE || splitter.ended() || (records.settled && into.length > 0);
  }
  return true;
}

/** Where the next record begins; null in the midst of a line, or of text that has been taken. */
export function placeOf({ feed }: RecordFeed, splitter: RecordSplitter): CsvPlace | null {
  if (!splitter.isEmpty() || !feed.isLineStart()) return null;
  return { offset: feed.offset(), line: splitter.line(), tail: feed.tail() };
}

/** Goes on at such a place. */
export function seekRecords(
  records: RecordFeed,
  { offset, line, tail }: CsvPlace,
  delimiter: string,
): RecordSplitter {
  const splitter = createRecordSplitter(delimiter);
  splitter.passLines(line - 1);
  records.over = false;
  records.toldOver = false;
  records.feed.seek(offset, tail);
  return splitter;
}

/** Programs end rows with a delimiter, and the header not. */
export function fits(cells: readonly string[], { width }: { readonly width: number }): boolean {
  return cells.length === width || (cells.length === width + 1 && cells[width]?.trim() === '');
}
