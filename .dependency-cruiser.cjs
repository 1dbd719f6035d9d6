/** The import arrows of docs/architecture.md: who may import whom. */
/** Code that only tests use. */
const testCode = '(/testing/|\\.(test|contract)\\.tsx?$)';

const parts = {
  protocol: [],
  platform: [],
  streams: ['protocol', 'platform'],
  actors: ['platform'],
  settings: ['platform'],
  storage: ['platform'],
  journal: ['protocol', 'platform', 'storage'],
  delivery: ['protocol', 'platform', 'streams'],
  agent: ['protocol', 'platform', 'streams', 'actors', 'storage', 'journal', 'delivery'],
  hq: ['protocol', 'platform', 'streams', 'actors', 'storage', 'delivery'],
  dashboard: ['protocol'],
  cli: ['protocol', 'platform', 'settings', 'storage', 'journal', 'agent', 'hq'],
};

const arrows = Object.entries(parts).map(([part, allowed]) => ({
  name: `${part}-imports`,
  severity: 'error',
  comment: `src/${part} may import ${allowed.length === 0 ? 'nothing of ours' : allowed.join(', ')}`,
  from: { path: `^src/${part}/`, pathNot: testCode },
  to: { path: '^src/', pathNot: `^src/(${[part, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    ...arrows,
    {
      name: 'no-tests-in-product',
      severity: 'error',
      from: { path: '^src/', pathNot: testCode },
      to: { path: `(${testCode}|^(marble-tests|tests|benchmarks)/)` },
    },
    {
      name: 'no-server-in-browser',
      severity: 'error',
      comment: 'the dashboard runs in a browser',
      from: { path: '^src/dashboard/', pathNot: testCode },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-transport',
      severity: 'error',
      comment: 'operators and the reliability stack serve every transport',
      from: { path: '^src/(streams|delivery)/', pathNot: testCode },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'], pathNot: '^node_modules/rxjs/' },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      comment: 'the build puts every package but lmdb into the bundle, so that they need not be dependencies',
      from: { path: '^src/', pathNot: testCode },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // TypeScript 7 has no API for it yet.
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.json'],
    },
  },
};
