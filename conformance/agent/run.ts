/** Judges an agent: listens as an HQ, and leads the agent that connects through what can happen. */
import type { Report } from '../report.ts';
import { startFakeHq } from './fake-hq.ts';
import {
  backlog,
  compactMessages,
  complete,
  firstContact,
  refusals,
  refusedHellos,
  type Stage,
  tooLarge,
  unknownAnswers,
} from './scenarios.ts';

export type AgentOptions = {
  readonly host: string;
  readonly port: number;
  /** What the agent is to show; null: anything. */
  readonly token: string | null;
  readonly patienceMs: number;
  readonly print: (line: string) => void;
};

const SCENARIOS: readonly ((stage: Stage) => Promise<void>)[] = [
  firstContact,
  refusals,
  unknownAnswers,
  backlog,
  tooLarge,
  complete,
  compactMessages,
  refusedHellos,
];

export async function judgeAgent(options: AgentOptions, report: Report): Promise<boolean> {
  const hq = await startFakeHq(options);
  options.print(`listening at ${hq.url}: let the agent connect there, with 5 samples a second or more`);
  try {
    const stage: Stage = { hq, report, patienceMs: options.patienceMs };
    for (const scenario of SCENARIOS) {
      await scenario(stage);
      // Nobody is there to be judged.
      if (hq.hellos.length === 0) break;
    }
  } finally {
    await hq.stop();
  }
  hq.rules.tell(report);
  return report.end();
}
