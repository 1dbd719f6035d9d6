/** `npm run simulate`: parses the arguments, breaks the product first where a mutation is asked for, then runs. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { parseArguments, USAGE, UsageError } from './arguments.ts';

// Tests start this many times: most of a start is the compilation of the same files.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/simulation'));

async function main(): Promise<number> {
  try {
    const request = parseArguments(process.argv.slice(2));
    if (request === 'help') {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    if (request.mutation !== null) {
      const { applyMutation } = await import('./mutations/apply.ts');
      applyMutation(request.mutation);
    }
    // Loaded only now: whatever is mutated must not have been read yet.
    const { simulate } = await import('./simulate.ts');
    return await simulate(request);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    return 64;
  }
}

// Whoever reads no further, as `head` does, wants no more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await main();
