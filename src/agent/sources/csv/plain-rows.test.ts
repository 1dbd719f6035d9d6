import { describe, expect, it } from 'vitest';
import { createBlockBuilder } from './block-builder.ts';
import { PLAIN_NUMBERS } from './cells.ts';
import { createPlainRows, type PlainRowsOptions } from './plain-rows.ts';
import { namedTimes } from './times/times.ts';

const times = namedTimes({ format: 'ms', zone: undefined, decimal: '.' });
if (times === null) throw new Error('ms is a form of times');
const OPTIONS: PlainRowsOptions = {
  delimiter: ',',
  header: { width: 4, timeIndex: 0 },
  times,
  numbers: PLAIN_NUMBERS,
  indices: [1, 3],
  maxBytes: 100,
};

/** How many bytes were read, and the rows in them. */
function read(text: string, options: Partial<PlainRowsOptions> = {}) {
  const bytes = Buffer.from(text);
  const into = createBlockBuilder(2);
  const end = createPlainRows({ ...OPTIONS, ...options })(bytes, 0, bytes.lastIndexOf('\n') + 1, into);
  const [a, b] = into.columns();
  return {
    end,
    ts: [...into.ts.subarray(0, into.count)],
    a: [...(a?.values ?? [])],
    b: [...(b?.values ?? [])],
  };
}

describe('plain rows of a CSV file', () => {
  it('are read from the bytes, the text between them passed over', () => {
    const text = '1000,1.25,Zürich,-7\r\n2000,1e3,,0.1\n';
    expect(read(text)).toEqual({
      end: Buffer.byteLength(text),
      ts: [1000, 2000],
      a: [1.25, 1000],
      b: [-7, 0.1],
    });
  });

  it('have a decimal comma when that is said', () => {
    const numbers = { ...PLAIN_NUMBERS, decimal: ',' } as const;
    const text = '1000;1,25;x;-7\n2000;-0,5;x;1,5e1\n3000;1.5;x;2\n';
    expect(read(text, { delimiter: ';', numbers })).toMatchObject({
      ts: [1000, 2000],
      a: [1.25, -0.5],
      b: [-7, 15],
    });
    // The comma ends a cell where it is the delimiter.
    expect(read('1000,1,x,2\n', { numbers })).toMatchObject({ a: [1], b: [2] });
  });

  it.each([
    ['a quote', '2000,"1",x,2\n'],
    ['a quote in text', '2000,1,"x,y",2\n'],
    ['text for a number', '2000,four,x,2\n'],
    ['no time', 'soon,1,x,2\n'],
    ['too many cells', '2000,1,x,2,3\n'],
    ['too few cells', '2000,1,x\n'],
    ['nothing in it', '\n'],
    ['no end yet', '2000,1,x,2'],
    ['too many bytes', `2000,1,${'x'.repeat(100)},2\n`],
  ])('end before a row that has %s', (_what, row) => {
    const good = '1000,1,x,2\n';
    expect(read(`${good}${row}`)).toEqual({ end: good.length, ts: [1000], a: [1], b: [2] });
  });

  it('leave no trace of a row that was given up', () => {
    const bytes = Buffer.from('1000,,x,four\n2000,5,x,6\n');
    const into = createBlockBuilder(2);
    const readRows = createPlainRows(OPTIONS);
    expect(readRows(bytes, 0, bytes.length, into)).toBe(0);
    expect(readRows(bytes, 13, bytes.length, into)).toBe(bytes.length);
    expect(into.columns()[0]?.present?.[0] ?? 1).toBe(1);
  });
});
