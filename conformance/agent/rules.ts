/** What holds for everything that an agent says: looked at with each message, told once at the end. */
import type { Level, Report } from '../report.ts';
import { shown } from '../report.ts';

const RULES = {
  'hello.first': ['MUST', 'the agent says hello first, and nothing else until it is answered'],
  'hello.shape': ['MUST', 'a hello has the fields of section 3'],
  'hello.protocol': ['MUST', 'a hello has protocol 1, whatever else the agent speaks'],
  'events.ack': ['MUST', 'the agent asks for an ack with every event'],
  'events.known': ['MUST', 'the agent sends the events of section 3 only'],
  'events.token': ['MUST', 'the agent shows its token in the CONNECT packet'],
  'schema.shape': ['MUST', 'a schema has the fields of section 3, and legal texts'],
  'schema.ref': ['MUST', 'the ref of a schema is the address of its content'],
  'frame.decodes': ['MUST', 'a frame decodes in full'],
  'frame.epoch': ['MUST', 'a frame is of the epoch of its hello'],
  'frame.columns': ['MUST', 'a frame has as many columns as its schema has series'],
  'frame.limits': ['MUST', 'a frame keeps to maxFrameBytes and maxFrameSamples'],
  'frame.notes': ['MUST', 'a frame has no notes of a version that HQ does not read'],
  'frame.same': ['MUST', 'a seq stands for one sample, however often it is sent'],
  'frame.released': ['SHOULD', 'what has been covered whole is not sent again once it was told'],
  'credit.kept': ['MUST', 'no more backlog frames are in flight than the credit allows'],
  'heartbeat.shape': ['MUST', 'a heartbeat has the fields of section 3'],
  'heartbeat.sampled': ['MUST', 'sampled never goes down within an epoch'],
  'heartbeat.released': ['MUST', 'released is never beyond what HQ has told that it holds'],
  'compact.agreed': ['MUST', 'compact messages come only where version 2 was agreed on'],
  'compact.decodes': ['MUST', 'a compact message decodes'],
} as const satisfies Readonly<Record<string, readonly [Level, string]>>;

export type RuleId = keyof typeof RULES;

export type Rules = {
  /** Something was seen to which the rule applies. */
  readonly see: (rule: RuleId, holds: boolean, expected: string, got: unknown) => void;
  readonly tell: (report: Report) => void;
};

export function createRules(): Rules {
  const seen = new Map<RuleId, { count: number; fault: { expected: string; got: string } | null }>();
  return {
    see: (rule, holds, expected, got) => {
      const entry = seen.get(rule) ?? { count: 0, fault: null };
      entry.count += 1;
      if (!holds) entry.fault ??= { expected, got: shown(got) };
      seen.set(rule, entry);
    },
    tell: (report) => {
      for (const [id, [level, text]] of Object.entries(RULES)) {
        const entry = seen.get(id as RuleId);
        const requirement = { id, level, text };
        if (entry === undefined) report.tell(requirement, { kind: 'skip', reason: 'it never came to it' });
        else if (entry.fault === null) report.tell(requirement, { kind: 'pass' });
        else report.tell(requirement, { kind: 'fail', ...entry.fault });
      }
    },
  };
}
