import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBlockBuilder } from './block-builder.ts';
import { PLAIN_NUMBERS } from './cells.ts';
import type { CsvReaderOptions, CsvRow } from './reader.ts';
import { createCsvReader } from './rows.ts';

type Options = Partial<CsvReaderOptions>;
const USUAL: CsvReaderOptions = {
  times: { format: undefined, zone: undefined, decimal: '.' },
  numbers: PLAIN_NUMBERS,
};

/** Rows as they come from a file that arrives in pieces. `take` gives what there is; it is called after each piece. */
function read(
  pieces: readonly Buffer[],
  options: Options,
  take: (reader: ReturnType<typeof createCsvReader>) => CsvRow[],
) {
  const reader = createCsvReader({ ...USUAL, ...options });
  const rows: CsvRow[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    rows.push(...take(reader));
  }
  reader.end();
  rows.push(...take(reader));
  expect(reader.ended()).toBe(true);
  return rows;
}

const oneByOne = (reader: ReturnType<typeof createCsvReader>): CsvRow[] => {
  const rows: CsvRow[] = [];
  for (let row = reader.next(); row !== null; row = reader.next()) rows.push(row);
  return rows;
};

/** The first row tells how wide a block is. Lines are left out: a block does not have them. */
const inBlocks = (reader: ReturnType<typeof createCsvReader>): CsvRow[] => {
  const rows: CsvRow[] = [];
  for (;;) {
    const width = reader.shape()?.series.length;
    if (width === undefined) {
      const first = reader.next();
      if (first === null) return rows;
      rows.push(first);
      continue;
    }
    const into = createBlockBuilder(width);
    const bad = reader.fill?.(into) ?? null;
    const columns = into.columns();
    for (let row = 0; row < into.count; row += 1) {
      const values = columns.map(({ values: all, present }) =>
        present?.[row] === 0 ? null : (all[row] ?? 0),
      );
      rows.push({ kind: 'row', line: 0, ts: into.ts[row] ?? 0, values });
    }
    if (bad !== null) rows.push(bad);
    else if (into.count === 0) return rows;
  }
};

const withoutLines = (rows: readonly CsvRow[]) =>
  rows.map((row) => (row.kind === 'row' ? { ...row, line: 0 } : row));

function inPieces(text: string, sizes: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const end = at + (sizes[index % sizes.length] ?? 1);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

const plainArb = fc.oneof(
  fc.integer().map(String),
  fc.maxSafeInteger().map(String),
  fc.tuple(fc.integer(), fc.nat(99_999)).map(([whole, places]) => `${whole}.${places}`),
  fc.double({ noNaN: true }).map(String),
  fc.stringMatching(/^-?\d{1,18}(\.\d{0,18})?$/),
);
const oddArb = fc.constantFrom(
  ...[
    '',
    ' ',
    ' 7',
    '7 ',
    '+5',
    '.5',
    '5.',
    '-',
    '-.',
    '.',
    '-0',
    '0.0',
    '1e5',
    '1E-7',
    '0x1f',
    'NaN',
    'Infinity',
  ],
  ...[
    'NA',
    'null',
    'n/a',
    '--1',
    '1.2.3',
    '1-2',
    'four',
    '"8"',
    '"8""',
    '"1\n2"',
    'é',
    '\u00a07',
    '7\r',
    '00012',
  ],
);
const cellArb = fc.oneof({ weight: 30, arbitrary: plainArb }, { weight: 1, arbitrary: oddArb });
const textArb = fc.constantFrom('calm', 'Zürich', '日本', 'say "hi"', '"a,b"', '12', '');
const timeArb = fc.oneof(
  { weight: 20, arbitrary: fc.nat(2_000_000_000).map((at) => String(at + 1_700_000_000_000)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('yesterday', '', '1700000000000.4', '"1700000000000"', '9'.repeat(20)),
  },
);
const rowArb = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(timeArb, cellArb, textArb, cellArb).map((cells) => cells) },
  { weight: 1, arbitrary: fc.array(cellArb, { maxLength: 6 }) },
);

describe('rows of a CSV file in blocks', () => {
  it('are the rows one by one, whatever the file holds and however it arrives', () => {
    let plain = 0;
    fc.assert(
      fc.property(
        fc.array(rowArb, { minLength: 25, maxLength: 120 }),
        fc.constantFrom(',', ';', '\t', '|', ':'),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 500, max: 3000 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (rows, delimiter, eol, isEnded, sizes) => {
          const calm = Array.from({ length: 20 }, (_, row) => [
            String(1_700_000_000_000 + row),
            '1.5',
            'calm',
            '2',
          ]);
          const lines = [['time', 'a', 'text', 'b'], ...calm, ...rows].map((cells) => cells.join(delimiter));
          const text = `${lines.join(eol)}${isEnded ? eol : ''}`;
          const pieces = inPieces(text, sizes);
          const expected = read(pieces, { delimiter }, oneByOne);
          expect(withoutLines(read(pieces, { delimiter }, inBlocks))).toEqual(withoutLines(expected));
          plain += expected.filter(({ kind }) => kind === 'row').length;
        },
      ),
      { numRuns: 300 },
    );
    expect(plain).toBeGreaterThan(1000);
  });

  it.each(['s', 'ms', 'us', 'ns', 'text'])('have the same times when they are given in %s', (form) => {
    const start = Date.UTC(2026, 0, 1);
    const scale = { s: 0.001, ms: 1, us: 1e3, ns: 1e6 }[form];
    const timeOf = (row: number) =>
      scale === undefined ? new Date(start + row * 7).toISOString() : String((start + row * 7) * scale);
    const text = `time,a\n${Array.from({ length: 200 }, (_, row) => `${timeOf(row)},${row}\n`).join('')}`;
    const rows = read(inPieces(text, [777]), {}, inBlocks);
    expect(rows.map((row) => row.kind === 'row' && row.ts)).toEqual(
      Array.from({ length: 200 }, (_, row) => start + row * 7),
    );
  });

  it('tell the line and the column of a cell that cannot be read, which costs its value alone', () => {
    const good = Array.from({ length: 100 }, (_, row) => `${1_700_000_000_000 + row},${row},${row}\n`).join(
      '',
    );
    const text = `time,a,b\n${good}1700000000100,four,100\n1700000000101,101,101\n`;
    for (const take of [oneByOne, inBlocks]) {
      const told: unknown[] = [];
      const rows = read(inPieces(text, [300]), {}, (reader) => {
        const taken = take(reader);
        const report = reader.unreadable.take();
        if (report !== null) told.push([...report.counts], report.shown);
        return taken;
      });
      expect(rows.slice(-2).map((row) => row.kind === 'row' && row.values)).toEqual([
        [null, 100],
        [101, 101],
      ]);
      expect(told).toEqual([[['a', 1]], [{ line: 102, column: 'a', text: 'four' }]]);
    }
  });

  it('tell the line of a bad row behind plain ones', () => {
    const good = Array.from({ length: 100 }, (_, row) => `${1_700_000_000_000 + row},${row}\n`).join('');
    const rows = read(inPieces(`time,a\n${good}yesterday,100\n`, [300]), {}, inBlocks);
    expect(rows).toHaveLength(101);
    expect(rows.at(-1)).toEqual({
      kind: 'bad',
      line: 102,
      reason: '`yesterday` in column `time` is no time',
    });
  });
});

describe('a place between two rows', () => {
  const rows = Array.from({ length: 9000 }, (_, row) =>
    row % 9 === 3 ? `${1_700_000_000 + row},"${row}\n",\r\n` : `${1_700_000_000 + row},${row},é\n`,
  );
  const bytes = Buffer.from(`a title\n\ntime,a,text\n${rows.join('')}`);

  it('can be gone back to by another reader of the file, with the same rows and lines behind it', () => {
    const all = read([bytes], {}, oneByOne);
    let places = 0;
    const reader = createCsvReader(USUAL);
    reader.push(Buffer.from(bytes));
    reader.end();
    for (let given = 0; given < all.length; given += 1) {
      reader.next();
      const place = reader.place();
      if (place === null || given % 700 !== 0) continue;
      places += 1;
      const other = createCsvReader(USUAL);
      other.push(Buffer.from(bytes));
      other.next();
      other.seek(place);
      other.push(Buffer.from(bytes.subarray(place.offset)));
      other.end();
      expect(oneByOne(other)).toEqual(all.slice(given + 1));
    }
    expect(places).toBeGreaterThan(0);
  });
});
