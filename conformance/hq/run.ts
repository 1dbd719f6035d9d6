/** Judges an HQ: every check in turn, against agents of a name of our own. */
import type { Report } from '../report.ts';
import { checkCompact } from './compact.ts';
import { checkConnection, watchPings } from './connection.ts';
import { createContext, type HqContext, type HqOptions } from './context.ts';
import { checkFrames } from './frames.ts';
import { checkHello } from './hello.ts';
import { checkHttp } from './http.ts';
import { checkSchemas } from './schemas.ts';
import { checkTalk } from './talk.ts';

const PARTS: readonly ((context: HqContext) => Promise<void>)[] = [
  checkConnection,
  checkHello,
  checkSchemas,
  checkFrames,
  checkTalk,
  checkCompact,
  checkHttp,
];

export async function judgeHq(options: HqOptions, report: Report): Promise<boolean> {
  const context = createContext(options, report);
  const pings = watchPings(context);
  try {
    for (const part of PARTS) {
      try {
        await part(context);
      } catch (error) {
        // What a whole part needs did not come about.
        report.tell(
          { id: `${part.name}`, level: 'MUST', text: 'what its checks begin with' },
          { kind: 'fail', expected: 'a session to begin', got: String(error) },
        );
      }
    }
    await pings();
  } finally {
    context.closeAll();
  }
  return report.end();
}
