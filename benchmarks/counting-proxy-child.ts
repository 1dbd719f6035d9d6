/** A process that forwards TCP to a port of this machine and counts. Arguments: port. `SIGUSR2` prints the counts. */
import { connect, createServer } from 'node:net';

const target = Number(process.argv[2]);
let up = 0;
let down = 0;

const server = createServer((client) => {
  const upstream = connect(target, '127.0.0.1');
  client.on('data', (chunk) => {
    up += chunk.length;
  });
  upstream.on('data', (chunk) => {
    down += chunk.length;
  });
  client.pipe(upstream).pipe(client);
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  console.log(JSON.stringify({ event: 'listening', port }));
});
process.on('SIGUSR2', () => console.log(JSON.stringify({ event: 'counted', up, down })));
