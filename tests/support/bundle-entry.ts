/** What a bundle for tests starts with: the `holdfast` command, from the sources. */
import { main } from '../../src/cli/main.ts';

await main(process.argv.slice(2));
