/**
 * The `holdfast` command and its libraries as a few files: a process of them starts in half the time, and takes 7 MB
 * less.
 */
import { join } from 'node:path';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');

export type BundleOptions = {
  /** Two folders below the root, as src/cli is: the sources look for package.json and for bin/ from where they are. */
  readonly outDir: string;
  /** Scripts by name; what is started as a process of its own is always there. */
  readonly input: Readonly<Record<string, string>>;
  /** Without white space and comments; names stay, so that a stack can be read. */
  readonly compact: boolean;
  /** Whether `licenses.md` names the libraries in it, and their licences. */
  readonly license: boolean;
};

export async function bundle({ outDir, input, compact, license }: BundleOptions): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    // `ws` asks for it, and does without when there is none.
    resolve: { alias: { bufferutil: join(root, 'src/platform/websocket-mask.ts') } },
    // Bound to machine code that lies alongside it.
    ssr: { noExternal: true, external: ['lmdb'] },
    build: {
      ssr: true,
      outDir,
      emptyOutDir: true,
      minify: false,
      target: 'node24',
      license: license ? { fileName: 'licenses.md' } : false,
      rolldownOptions: {
        input: {
          ...input,
          'probe-child': join(root, 'src/storage/lmdb/probe-child.ts'),
          'backup-child': join(root, 'src/hq/backup/backup-child.ts'),
        },
        output: {
          entryFileNames: '[name].js',
          chunkFileNames: '[name]-[hash].js',
          minify: compact ? { compress: true, mangle: false, codegen: { removeWhitespace: true } } : false,
        },
      },
    },
  });
}
