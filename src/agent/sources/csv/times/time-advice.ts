/** The patterns that settle in which order dates such as `11/03/2026 9:05` name day and month. */

const FORM =
  /^(?<first>\d{1,2})(?<by>[-/.])(?<second>\d{1,2})\k<by>(?<year>\d{4}|\d{2})(?:(?<gap>[Tt]|,?\s+)(?<hour>\d{1,2}):\d{2}(?<seconds>:\d{2}(?:(?<point>[.,])\d+)?)?(?:(?<blank>\s*)(?<half>[AaPp])\.?[Mm]\.?)?(?:(?<apart>\s*)(?<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?$/;

type Groups = Readonly<Record<string, string | undefined>>;

/** Of the cells of one column, as they are written: day before month, and month before day. */
export function patternsFor(cells: readonly string[]): readonly [string, string] {
  const found = cells.flatMap((cell): Groups[] => {
    const groups = FORM.exec(cell)?.groups;
    return groups === undefined ? [] : [groups];
  });
  const [shown] = found;
  const by = shown?.by ?? /[-/.]/.exec(cells[0] ?? '')?.[0] ?? '/';
  const year = shown?.year?.length === 2 ? 'yy' : 'yyyy';
  // One that is written without its zero tells how all are.
  const isBare = found.some(({ first, second }) => first?.length === 1 || second?.length === 1);
  const [day, month] = isBare ? ['d', 'M'] : ['dd', 'MM'];
  const time = shown === undefined ? ' HH:mm:ss' : timeIn(shown, found);
  return [`${[day, month, year].join(by)}${time}`, `${[month, day, year].join(by)}${time}`];
}

function timeIn({ gap, seconds, point, blank, half, apart, zone }: Groups, all: readonly Groups[]): string {
  if (gap === undefined) return '';
  const letter = half === undefined ? 'H' : 'h';
  const hour = all.some((one) => one.hour?.length === 1) ? letter : letter.repeat(2);
  const fraction = point === undefined ? '' : `${point}SSS`;
  return [
    /^t$/i.test(gap) ? `'${gap}'` : gap.replace(/\s+/, ' '),
    `${hour}:mm`,
    seconds === undefined ? '' : `:ss${fraction}`,
    half === undefined ? '' : `${spaced(blank)}a`,
    zone === undefined ? '' : `${spaced(apart)}Z`,
  ].join('');
}

function spaced(blank: string | undefined): string {
  return blank === undefined || blank === '' ? '' : ' ';
}
