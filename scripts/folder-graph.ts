/** Which folder imports which, as pictures in Mermaid; told by dependency-cruiser, so that they are true. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

type Module = { readonly source: string; readonly dependencies: readonly { readonly resolved: string }[] };

const root = join(import.meta.dirname, '..');
const BEGIN = '<!-- Folders: written by "npm run docs". -->';
const END = '<!-- End of the folders. -->';
const TEST_CODE = /(\/testing\/|\.(test|contract)\.tsx?$)/;

/** The page with its pictures as they should be. Throws when it has no place for them. */
export function withFolderGraphs(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`no place for the folders: ${BEGIN} … ${END}`);
  const modules = cruise();
  const pictures = [
    'An arrow is at least one import; tests are left out.',
    graph(modules, 'src'),
    'Within the agent and within HQ; what stands alongside the folders puts them together.',
    graph(modules, 'src/agent'),
    graph(modules, 'src/hq'),
  ];
  return `${before}${BEGIN}\n\n${pictures.join('\n\n')}\n\n${END}${after}`;
}

function cruise(): readonly Module[] {
  const output = execFileSync(
    join(root, 'node_modules/.bin/depcruise'),
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'],
    { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  const { modules } = JSON.parse(output) as { readonly modules: readonly Module[] };
  return modules.filter(({ source }) => !TEST_CODE.test(source));
}

function graph(modules: readonly Module[], within: string): string {
  const folderOf = (path: string): string | null =>
    path.startsWith(`${within}/`) ? (/^([^/]+)\//.exec(path.slice(within.length + 1))?.[1] ?? null) : null;
  const arrows = modules.flatMap(({ source, dependencies }) => {
    const from = folderOf(source);
    return dependencies.flatMap(({ resolved }) => {
      const to = folderOf(resolved);
      return from === null || to === null || from === to ? [] : [`    ${from} --> ${to}`];
    });
  });
  return ['```mermaid', 'flowchart LR', ...[...new Set(arrows)].sort(), '```'].join('\n');
}
