/** Replays of files, and what they gave. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Observable, of } from 'rxjs';
import { temporaryFolder } from '../../../../../tests/support/temporary.ts';
import { createSystemClock } from '../../../../platform/clock.ts';
import { systemRandom } from '../../../../platform/random.ts';
import { eachSample } from '../../../testing/each-sample.ts';
import { createSource } from '../../registry.ts';
import type { SourceEnv } from '../../source.ts';
import { parseSourceSpec } from '../../spec.ts';

export type ToldEvent = { readonly type: string; readonly [field: string]: unknown };

export function replay(
  path: string,
  options: string,
  { demand$ = of(true), ...env }: Partial<SourceEnv> & { readonly demand$?: Observable<boolean> } = {},
) {
  const events: ToldEvent[] = [];
  const source = createSource(parseSourceSpec(`csv:path="${path}",${options}`), {
    clock: createSystemClock(),
    random: systemRandom,
    emit: (event: ToldEvent) => void events.push(event),
    ...env,
  });
  return { source, events, samples$: source.samples(demand$).pipe(eachSample()) };
}

export function file(text: string | Buffer, folder: string = temporaryFolder()): string {
  const path = join(folder, 'file.csv');
  writeFileSync(path, text);
  return path;
}
