/** A program that stands in for nvidia-smi: it prints what a test says of GPUs, or fails as the test says. */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../../../../tests/support/temporary.ts';

/** By field; those that are missing are `[N/A]`. */
export type StandInGpu = Readonly<Record<string, string | number>>;

const SCRIPT = `#!/bin/sh
here="$(dirname "$0")"
fields="\${1#--query-gpu=}"
echo "$2" > "$here/format"
[ -f "$here/hang" ] && { echo $$ >> "$here/pids"; exec sleep 1000; }
[ -f "$here/print" ] && { cat "$here/print"; exit "$(cat "$here/code")"; }
for field in $(cat "$here/unknown" 2>/dev/null); do
  case ",$fields," in *",$field,"*)
    echo "Field \\"$field\\" is not a valid field to query."; exit 2;;
  esac
done
exec awk -v fields="$fields" '
  BEGIN { count = split(fields, names, ",")
          for (i = 1; i <= count; i++) printf "%s%s", names[i] (names[i] ~ /^memory/ ? " [MiB]" : ""), i < count ? ", " : "\\n" }
  { split("", has); parts = split($0, pairs, ";")
    for (i = 1; i <= parts; i++) { at = index(pairs[i], "="); has[substr(pairs[i], 1, at - 1)] = substr(pairs[i], at + 1) }
    for (i = 1; i <= count; i++) printf "%s%s", (names[i] in has) ? has[names[i]] : "[N/A]", i < count ? ", " : "\\n" }
' "$here/gpus"
`;

export function standIn(folder: string = temporaryFolder()) {
  const path = join(folder, 'nvidia-smi');
  const at = (name: string) => join(folder, name);
  writeFileSync(path, SCRIPT);
  chmodSync(path, 0o755);
  writeFileSync(at('gpus'), '');
  const remove = (name: string) => rmSync(at(name), { force: true });
  return {
    path,
    /** Process ids of those that hang or hung. */
    pidsFile: at('pids'),
    gpus: (...gpus: readonly StandInGpu[]) => {
      const lines = gpus.map((gpu) =>
        Object.entries(gpu)
          .map(([field, value]) => `${field}=${value}`)
          .join(';'),
      );
      writeFileSync(at('gpus'), lines.map((line) => `${line}\n`).join(''));
    },
    prints: (text: string, code = 0) => {
      writeFileSync(at('code'), String(code));
      writeFileSync(at('print'), text);
    },
    hangs: () => writeFileSync(at('hang'), ''),
    knowsNo: (...fields: readonly string[]) => writeFileSync(at('unknown'), fields.join(' ')),
    works: () => {
      for (const name of ['print', 'hang', 'unknown']) if (existsSync(at(name))) remove(name);
    },
  };
}
