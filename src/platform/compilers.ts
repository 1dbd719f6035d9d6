/**
 * What makes fast machine code of JavaScript in the background. Switched off, code is interpreted, or compiled as it
 * stands by the baseline compiler, which works in the foreground. V8 reads these flags each time they matter.
 */
import { setFlagsFromString } from 'node:v8';

const COMPILERS = ['maglev', 'turbofan'];

export function switchCompilers(state: 'on' | 'off'): void {
  for (const compiler of COMPILERS) setFlagsFromString(state === 'on' ? `--${compiler}` : `--no-${compiler}`);
}
