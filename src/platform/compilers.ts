/** What makes machine code of JavaScript in the background; switched off, code is interpreted. V8 reads these flags each time they matter. */
import { setFlagsFromString } from 'node:v8';

const COMPILERS = ['sparkplug', 'maglev', 'turbofan'];

export function switchCompilers(state: 'on' | 'off'): void {
  for (const compiler of COMPILERS) setFlagsFromString(state === 'on' ? `--${compiler}` : `--no-${compiler}`);
}
