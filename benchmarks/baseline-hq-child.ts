/**
 * The receiver of a simple store-and-forward agent: gzipped NDJSON by HTTP POST into SQLite, one transaction a request,
 * durable before it answers (WAL, synchronous=FULL). Argument: directory. GET /count tells how many samples it holds.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { leaveNow } from '../src/platform/leave.ts';

const [directory = '.'] = process.argv.slice(2);
const database = new DatabaseSync(join(directory, 'samples.sqlite'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec(
  'CREATE TABLE samples (agent TEXT, seq INTEGER, ts INTEGER, data TEXT, PRIMARY KEY (agent, seq)) WITHOUT ROWID',
);
const insert = database.prepare('INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?)');
const headSchema = z.object({ seq: z.number(), ts: z.number() });
let stored = 0;

function store(agent: string, text: string): void {
  database.exec('BEGIN');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { seq, ts } = headSchema.parse(JSON.parse(line));
    stored += Number(insert.run(agent, seq, ts, line).changes);
  }
  database.exec('COMMIT');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const body = Buffer.concat(chunks);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
}

const server = createServer(async (request, response) => {
  if (request.url === '/count') {
    response.end(JSON.stringify({ stored }));
    return;
  }
  store(String(request.headers['x-agent']), await bodyOf(request));
  response.writeHead(202).end();
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  console.log(JSON.stringify({ event: 'listening', url: `http://127.0.0.1:${port}` }));
});
process.on('SIGTERM', () => leaveNow(0));
