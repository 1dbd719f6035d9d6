/** `npm run conformance`: judges another HQ, or another agent, by docs/protocol.md. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { judgeAgent } from './agent/run.ts';
import { judgeHq } from './hq/run.ts';
import { createReport } from './report.ts';

const USAGE = `usage: npm run conformance -- --hq URL [options]      judges an HQ
       npm run conformance -- --agent [options]       listens as an HQ, and judges the agent that connects

  --token T, --token-file F          what agents show; with --agent: what the agent is to show
  --operator-token-file F            to read back over HTTP what was delivered (--hq)
  --timeout-ms N                     how long an answer may take (5000)
  --host H, --port N                 where to listen (--agent; 127.0.0.1, a free port)
  --patience-ms N                    how long the agent may take for each step (--agent; 60000)

A line a requirement: pass, fail, warn (a SHOULD that is not met) or skip. The exit code is 0 when nothing failed,
1 when something did, 64 for a wrong call. It sends to the HQ under agents called conformance-…; take one for tests.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  hq: { type: 'string' },
  agent: { type: 'boolean' },
  token: { type: 'string' },
  'token-file': { type: 'string' },
  'operator-token-file': { type: 'string' },
  'timeout-ms': { type: 'string', default: '5000' },
  'patience-ms': { type: 'string', default: '60000' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '0' },
} as const;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const secretIn = (file: string | undefined): string | null =>
  file === undefined ? null : readFileSync(file, 'utf8').trim();

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help === true) {
    print(USAGE);
    return 0;
  }
  const [timeoutMs, patienceMs, port] = [values['timeout-ms'], values['patience-ms'], values.port].map(
    Number,
  );
  const isNumber = [timeoutMs, patienceMs, port].every(
    (one) => one !== undefined && Number.isInteger(one) && one >= 0,
  );
  if ((values.hq === undefined) === (values.agent !== true)) throw new UsageError('take --hq URL or --agent');
  if (!isNumber || timeoutMs === undefined || patienceMs === undefined || port === undefined)
    throw new UsageError('times and ports are whole numbers');
  const token = values.token ?? secretIn(values['token-file']);
  const report = createReport(print);
  if (values.hq !== undefined) {
    const operatorToken = secretIn(values['operator-token-file']);
    return (await judgeHq({ url: values.hq, token, operatorToken, timeoutMs }, report)) ? 0 : 1;
  }
  const { host } = values;
  return (await judgeAgent({ host, port, token, patienceMs, print }, report)) ? 0 : 1;
}

class UsageError extends Error {}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 64;
}
