/**
 * Links from 2.4 kbit/s to 2 Mbit/s: how late fresh samples are while a backlog drains, how much of the link is used,
 * and for how many bytes a sample. Baseline: the same on version 0.1.0, whose backlog had a fixed window of eight
 * frames. The slow rows of one version run at the same time: they mostly wait. Its code comes from the history of the
 * repository.
 *
 *     npm run build && node benchmarks/links.ts
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchResult, type BenchRow, rounded } from './result.ts';
import { type LinkFigures, measureRows } from './support/link-figures.ts';
import { LINK_ROWS, type LinkRow } from './support/link-rows.ts';
import { OURS, type Parties, type Product } from './support/link-run.ts';
import { runSteady, type SteadyOptions } from './support/link-steady.ts';
import { print } from './support/print.ts';
import { inWorkshop, root, type Workshop } from './support/processes.ts';

export type LinksOptions = {
  /** Default: all of them. */
  readonly rows?: readonly LinkRow[];
  /** Of an agent without a backlog; counted for 60 s by default. */
  readonly steady?: Omit<SteadyOptions, 'source'>;
  /** Whether 0.1.0 runs as well. Default true. */
  readonly hasBaseline?: boolean;
};

/** One fast link, to show that everything works. */
export const QUICK_LINKS: LinksOptions = {
  rows: LINK_ROWS.filter(({ name }) => name.startsWith('2 Mbit/s')).map((row) => ({
    ...row,
    backlog: 20_000,
  })),
  steady: { seconds: 1, warmUpFrames: 2 },
  hasBaseline: false,
};

const OLD = { name: '0.1.0', commit: '86769b9' };

/** The tree of 0.1.0, with the dependencies of this one; undefined where the history does not go back so far. */
function oldProduct(workshop: Workshop): Product | undefined {
  const tree = join(workshop.folder(), 'old');
  mkdirSync(tree);
  try {
    const archive = execFileSync('git', ['archive', OLD.commit], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 2 ** 28,
    });
    execFileSync('tar', ['-x', '-C', tree], { input: archive, stdio: ['pipe', 'ignore', 'ignore'] });
  } catch {
    return undefined;
  }
  if (!existsSync(join(tree, 'bin/holdfast.js'))) return undefined;
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return { tree, isBuilt: false };
}

type Figures = ReadonlyMap<LinkRow, LinkFigures>;

/** Figures that there are not, such as bytes a sample where none came, are left out. */
function rowsOf(version: string, figures: Figures): BenchRow[] {
  return [...figures].flatMap(([{ name }, found]) => {
    const row = (what: string, value: number, unit: string) => ({
      name: `${version}, ${name}: ${what}`,
      value: rounded(value),
      unit,
    });
    const all = [
      row('live lag p50', found.lagP50Ms / 1000, 's'),
      row('live lag p99', found.lagP99Ms / 1000, 's'),
      row('first fresh sample', found.firstFreshMs / 1000, 's'),
      row('link used', found.linkUsed * 100, '%'),
      row('backlog samples', found.backlogSamples, 'samples'),
      row('a backlog sample', found.bytesPerBacklogSample, 'B'),
      row('disconnects', found.disconnects, ''),
      row('sent twice', found.bytesTwice, 'B'),
    ];
    return all.filter(({ value }) => Number.isFinite(value));
  });
}

function ratiosOf(ours: Figures, old: Figures): BenchRow[] {
  return [...ours].flatMap(([row, figures]) => {
    const before = old.get(row);
    if (before === undefined) return [];
    const ratio = (what: string, value: number) => ({
      name: `${row.name}: ${what}`,
      value: rounded(value),
      unit: '×',
    });
    return [
      ratio(`live lag p99, ${OLD.name} ÷ holdfast`, before.lagP99Ms / figures.lagP99Ms),
      ratio(`backlog samples, holdfast ÷ ${OLD.name}`, figures.backlogSamples / before.backlogSamples),
    ].filter(({ value }) => Number.isFinite(value));
  });
}

async function steadyRows(version: string, parties: Parties, options: Omit<SteadyOptions, 'source'>) {
  const sources = ['17', 'host'] as const;
  const runs = await Promise.all(sources.map((source) => runSteady(parties, { source, ...options })));
  return runs.flatMap(({ series, upBytesPerSecond, downBytesPerSecond, reconnectBytes }): BenchRow[] => {
    const name = `${version}, caught up, ${series} series at 1 Hz`;
    return [
      { name: `${name}: up`, value: rounded(upBytesPerSecond), unit: 'B/s' },
      { name: `${name}: down`, value: rounded(downBytesPerSecond), unit: 'B/s' },
      { name: `${name}: to connect again, both ways`, value: reconnectBytes, unit: 'B' },
    ];
  });
}

/** Takes about ten minutes. Needs the build in dist/. */
export async function benchLinks(options: LinksOptions = {}): Promise<BenchResult> {
  const { rows = LINK_ROWS, steady = { seconds: 60 }, hasBaseline = true } = options;
  const one = (version: string, product: Product) =>
    inWorkshop(async (workshop) => {
      const figures = await measureRows({ workshop, product }, rows);
      const caughtUp = await steadyRows(version, { workshop, product }, steady);
      return { figures, rows: [...rowsOf(version, figures), ...caughtUp] };
    });
  const ours = await one('holdfast', OURS);
  return inWorkshop(async (workshop) => {
    const product = hasBaseline ? oldProduct(workshop) : undefined;
    const old = product === undefined ? undefined : await one(OLD.name, product);
    const missing = hasBaseline && old === undefined ? `; no history, so nothing of ${OLD.name}` : '';
    return {
      title: `links: a backlog of 17 metrics and a live source at 1 Hz${missing}`,
      rows: [
        ...ours.rows,
        ...(old?.rows ?? []),
        ...(old === undefined ? [] : ratiosOf(ours.figures, old.figures)),
      ],
    };
  });
}

if (import.meta.main) print([await benchLinks()]);
