/** What stands below the help of a command: lines to copy. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  '': [
    'holdfast demo                                    # try it on this machine',
    'holdfast hq --data-dir /var/lib/holdfast',
    'holdfast agent --hq https://hq.example.net --token-file /etc/holdfast/token',
    'holdfast help agent                              # the flags of a command',
  ],
  demo: ['holdfast demo', 'holdfast demo --port 0 --agents 5 --chaos off'],
  hq: [
    'holdfast hq --data-dir /var/lib/holdfast',
    'holdfast hq --host 0.0.0.0 --agent-token-file /etc/holdfast/agent-token --operator-token-file /etc/holdfast/operator-token',
    'holdfast hq --config /etc/holdfast/hq.yaml',
  ],
  agent: [
    'holdfast agent --source host:every=5s --source sim:hz=10,sensors=4',
    'holdfast agent --hq https://hq.example.net --token-file /etc/holdfast/token --id vessel-7 --preset satellite',
    'holdfast agent --journal-max-bytes 4G --uplink-backoff-max-ms 1h30m',
  ],
  config: [
    'holdfast config print agent --preset satellite',
    'holdfast config validate hq --config /etc/holdfast/hq.yaml',
    'holdfast config schema agent > holdfast.schema.json',
  ],
  journal: [
    'holdfast journal stats /var/lib/holdfast',
    'holdfast journal peek /var/lib/holdfast --count 3',
    'holdfast journal export /var/lib/holdfast > samples.ndjson',
  ],
  backup: [
    'holdfast backup create /var/lib/holdfast /backup/hq-$(date +%F)',
    'holdfast backup verify /backup/hq-2026-01-31',
    'holdfast backup restore /backup/hq-2026-01-31 /var/lib/holdfast-restored',
  ],
  agents: [
    'holdfast agents --hq https://hq.example.net --token-file operator-token',
    'holdfast agents --label site=nord -o csv',
  ],
  ledger: ['holdfast ledger vessel-7', 'holdfast ledger vessel-7 -o json'],
  samples: [
    'holdfast samples vessel-7 --from 2026-01-31T12:00:00Z --limit 20',
    'holdfast samples vessel-7 -o csv > samples.csv',
  ],
  series: ['holdfast series vessel-7'],
  retire: [
    'holdfast retire vessel-7                         # hidden; its samples stay until retention removes them',
    'holdfast retire vessel-7 --purge                 # everything that is stored of it goes',
  ],
  completion: [
    'source <(holdfast completion bash)               # in ~/.bashrc',
    'source <(holdfast completion zsh)                # in ~/.zshrc, after compinit',
    'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
  ],
  version: ['holdfast version --json'],
};

/** The examples of a command as a part of its help; of '' those of all. */
export function examplesOf(command: string): string {
  const lines = EXAMPLES[command] ?? [];
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
