import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvRecord, createRecordSplitter } from './records.ts';

function split(chunks: readonly string[], { delimiter = ',', maxChars = 1000 } = {}): CsvRecord[] {
  const splitter = createRecordSplitter(delimiter, maxChars);
  const records: CsvRecord[] = [];
  const drain = () => {
    for (let record = splitter.next(); record !== null; record = splitter.next()) records.push(record);
  };
  for (const chunk of chunks) {
    splitter.push(chunk);
    drain();
  }
  splitter.end();
  drain();
  expect(splitter.ended()).toBe(true);
  return records;
}
const cells = (text: string) =>
  split([text]).map((record) => ('cells' in record ? record.cells : record.problem));

describe('CSV records', () => {
  it('ends lines with LF, CRLF or the end of the file, and leaves blank ones out', () => {
    expect(split(['a,b\r\n1,2\n\n  \n3,4'])).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1', '2'] },
      { line: 5, cells: ['3', '4'] },
    ]);
  });

  it('reads quoted cells with delimiters, quotes and line breaks in them', () => {
    expect(split(['"a,b","say ""hi""","two\nlines"\r\nx,"",z\n'])).toEqual([
      { line: 1, cells: ['a,b', 'say "hi"', 'two\nlines'] },
      { line: 3, cells: ['x', '', 'z'] },
    ]);
  });

  it('takes a quote within an unquoted cell as it stands', () => {
    expect(cells('5" pipe,2\n')).toEqual([['5" pipe', '2']]);
  });

  it('loses only the record with text after a closing quote', () => {
    expect(split(['1,2\n"3"x,4\n5,6\n'])).toEqual([
      { line: 1, cells: ['1', '2'] },
      { line: 2, problem: 'text after a closing quote' },
      { line: 3, cells: ['5', '6'] },
    ]);
  });

  it('goes on after the line of a quote that is never closed', () => {
    const rest = Array.from({ length: 50 }, (_, row) => `${row},0\n`).join('');
    const records = split([`1,"2\n${rest}`], { maxChars: 100 });
    expect(records[0]).toEqual({ line: 1, problem: 'a quote is not closed' });
    expect(records.slice(1)).toHaveLength(50);
    expect(records[1]).toEqual({ line: 2, cells: ['0', '0'] });
  });

  it('skips an overlong line to its end, in bounded memory, and keeps counting lines', () => {
    const huge = Array.from({ length: 500 }, () => 'x'.repeat(100));
    expect(split(['1,2\n', ...huge, '\n3,4\n'], { maxChars: 1000 })).toEqual([
      { line: 1, cells: ['1', '2'] },
      { line: 2, problem: 'longer than 1000 characters' },
      { line: 3, cells: ['3', '4'] },
    ]);
  });

  it('gives the same records however the text is cut', () => {
    const texts = fc.array(fc.constantFrom('a', '"', ',', '\n', '\r\n', '1', '""', 'é'), { maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.array(fc.nat(60), { maxLength: 8 }), (pieces, cuts) => {
        const text = pieces.join('');
        const places = [
          0,
          ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b),
          text.length,
        ];
        const chunks = places.slice(1).map((end, index) => text.slice(places[index], end));
        expect(split(chunks)).toEqual(split([text]));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads back whatever is written by the rules', () => {
    const written = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
        (rows) => {
          const text = rows.map((row) => row.map(written).join(',')).join('\n');
          expect(cells(text)).toEqual(rows);
        },
      ),
    );
  });
});
