/**
 * Loaded into HQ by `--import`: writes to the file HELD_LOOP, each time that it changes, the most processor time that
 * one turn of the event loop has taken since the file was last removed, ms. Time of the processor, not of the clock:
 * who else uses the machine does not count.
 */
import { existsSync, writeFileSync } from 'node:fs';

const file = process.env.HELD_LOOP;
const used = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

function watch() {
  let last = used();
  let most = 0;
  const turn = () => {
    const now = used();
    most = Math.max(most, now - last);
    last = now;
    setImmediate(turn);
  };
  setImmediate(turn);
  setInterval(() => {
    if (!existsSync(file)) most = 0;
    writeFileSync(file, String(most));
    last = used();
  }, 200);
}

if (file !== undefined && file !== '') watch();
