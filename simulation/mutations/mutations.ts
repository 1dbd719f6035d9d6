/**
 * Known ways to break the product, one promise each. A mutation replaces a piece of a source file, which must stand
 * there exactly once: when the product changes, a mutation that no longer fits says so instead of passing.
 */
export type Mutation = {
  readonly name: string;
  /** What it does to the product. */
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** First of the seeds among which it is caught, where few worlds show it; 1 without. */
  readonly fromSeed?: number;
  /** Length of the worlds that show it; `SHORT_HOURS` without. */
  readonly hours?: number;
};

/** Of the worlds that a mutation is caught in, unless it needs longer ones. */
export const SHORT_HOURS = 0.045;

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'ack_without_decoding',
    breaks: 'HQ acks frames of which it has not decoded the columns',
    file: 'src/protocol/codec/check.ts',
    find: "return 'checked';",
    replace: "return 'none';",
    fromSeed: 32,
  },
  {
    name: 'ack_before_flush',
    breaks: 'HQ acks a frame when it was queued, not when it was flushed',
    file: 'src/hq/ingest/core/handlers/frame.ts',
    find: 'const submitted = session.shared.submit(frame.ingest).subscribe({',
    replace: `session.shared.submit(frame.ingest).subscribe({ error: () => {} });
      const { header } = frame.ingest;
      const before = session.established()?.view.coverage() ?? { contiguous: 0, ranges: [] };
      const last = header.firstSeq + header.count - 1;
      const coverage = header.firstSeq <= before.contiguous + 1 && before.ranges.length === 0
        ? { contiguous: Math.max(before.contiguous, last), ranges: [] }
        : { contiguous: before.contiguous, ranges: [...before.ranges, [header.firstSeq, last] as const] };
      const submitted = new Observable<IngestOutcome>((told) => {
        told.next({ stored: 1, duplicates: 0, thinned: 0, dropped: 0, coverage });
        told.complete();
      }).subscribe({`,
  },
  {
    name: 'release_before_ack',
    breaks: 'the agent releases what it has sent, whether HQ confirmed it or not',
    file: 'src/agent/uplink/steps.ts',
    find: "return [{ ...memory, releasing: 'yes' }, [{ type: 'release', acked: memory.acked }]];",
    replace:
      "return [{ ...memory, releasing: 'yes' }, [{ type: 'release', acked: memory.known ?? memory.acked }]];",
  },
  {
    name: 'breaker_never_half_opens',
    breaks: 'an open circuit breaker stays open',
    file: 'src/streams/breaker-state.ts',
    find: "return state.kind === 'open' && now >= state.until",
    replace: "return state.kind === 'open' && now >= state.until + 1e12",
    fromSeed: 10,
  },
  {
    name: 'backlog_before_live',
    breaks: 'live frames wait until the backlog has drained',
    file: 'src/agent/uplink/live-lane.ts',
    find: 'while (waiting.length > 0 && flying.length < maxFrames &&',
    replace: 'while (waiting.length > 40 && flying.length < maxFrames &&',
  },
  {
    name: 'epoch_ignored',
    breaks: "HQ accounts for frames under the epoch of the agent's first hello, whatever they say",
    file: 'src/hq/store/append-frame.ts',
    find: 'const { epoch, firstSeq, count, tsMin, tsMax } = header;',
    replace: `const { firstSeq, count, tsMin, tsMax } = header;
  const firsts = ((globalThis as { firsts?: Map<string, string> }).firsts ??= new Map<string, string>());
  if (!firsts.has(agent)) firsts.set(agent, header.epoch);
  const epoch = firsts.get(agent) ?? header.epoch;`,
  },
  {
    name: 'gap_not_reported',
    breaks: 'what a full journal drops leaves no gap behind',
    file: 'src/journal/editor.ts',
    find: '    addGap(draft, range, reason, times);\n    countPending(',
    replace: '    countPending(',
    fromSeed: 9,
  },
  {
    name: 'compaction_loses_last_frame',
    breaks: 'compaction leaves the last of the frames out of the merged one',
    file: 'src/journal/compaction/compact.ts',
    find: 'bytes = mergeFrames(parts);',
    replace: 'bytes = mergeFrames(parts.slice(0, -1));',
    fromSeed: 2,
  },
  {
    name: 'failed_commit_believed',
    breaks: 'a commit that failed counts as durable',
    file: 'src/storage/commit-queue.ts',
    find: 'error: (error: unknown) => land(() => failAll(group, error)),',
    replace: 'error: () => land(() => emitAll(group)),',
    fromSeed: 3,
  },
  {
    name: 'compaction_at_hq_drops_a_frame',
    breaks: "HQ's merging removes one frame more than it merges",
    file: 'src/hq/store/compaction.ts',
    find: 'merges.push({ pieces, frame: yield* merged(pieces) });',
    replace: 'merges.push({ pieces, frame: yield* merged(pieces.slice(0, -1)) });',
    hours: 0.3,
  },
  {
    name: 'retried_append_stored_twice',
    breaks: 'samples whose commit failed but got through are committed again',
    file: 'src/journal/append/append-line.ts',
    find: 'const earlier = attempts.find((one) => one.samples === samples);',
    replace: 'const earlier = attempts.find((one) => one.samples === samples && one.lastSeq < 0);',
    fromSeed: 5,
  },
  {
    name: 'acked_of_another_epoch',
    breaks: 'a new journal believes acks that were given to the one before it',
    file: 'src/journal/recovery/recovery.ts',
    find: '  forgetAcked(writer);\n  return createEditor',
    replace: '  return createEditor',
  },
  {
    name: 'dedup_off_by_one',
    breaks: 'the highest seq that HQ has without a hole counts as missing',
    file: 'src/hq/store/epoch-state.ts',
    find: 'const added = missingWithin(state.coverage, first, last);',
    replace:
      'const contiguous = Math.max(0, state.coverage.contiguous - 1);\n' +
      '  const added = missingWithin({ ...state.coverage, contiguous }, first, last);',
    fromSeed: 2,
  },
  {
    name: 'forgotten_range',
    breaks: 'HQ forgets over a restart what it holds beyond the first hole',
    file: 'src/hq/store/epoch-state.ts',
    find: 'return Buffer.from(JSON.stringify(state));',
    replace: 'return Buffer.from(JSON.stringify({ ...state, coverage: { ...state.coverage, ranges: [] } }));',
    fromSeed: 29,
  },
  {
    name: 'damage_at_hq_still_stored',
    breaks: 'HQ goes on to count what damage has taken from its data',
    file: 'src/hq/store/recount-epoch.ts',
    find: 'const lost = subtract(base.coverage, unite(present.counted.coverage, elsewhere));',
    replace: 'const lost: readonly SeqRange[] = [];',
    fromSeed: 7,
  },
  {
    name: 'damaged_frame_swallowed',
    breaks: 'a damaged frame disappears without a gap',
    file: 'src/journal/pending.ts',
    find: "if (present.kind !== 'gap') editor.drop(present, 'damaged');",
    replace: "if (present.kind !== 'gap') editor.remove(present);",
    fromSeed: 9,
  },
  {
    name: 'pending_accounted_as_lost',
    breaks: 'HQ accounts as lost what the agent still has',
    file: 'src/hq/store/account-lost.ts',
    find: 'const accounted = account(state, accounting, 1, note.released);',
    replace: 'const accounted = account(state, accounting, 1, note.sampled);',
  },
  {
    name: 'gap_counted_but_not_kept',
    breaks: 'HQ counts a gap and forgets where it was',
    file: 'src/hq/store/append-frame.ts',
    find: '    for (const [from, to] of accounted.added) {\n      putGap(',
    replace: '    for (const [from, to] of accounted.added.slice(1)) {\n      putGap(',
    fromSeed: 9,
  },
  {
    name: 'samples_out_of_order',
    breaks: 'samples of one commit get their seqs in reverse',
    file: 'src/journal/append/append-frames.ts',
    find: 'firstSeq: sampled + start + 1, samples: part });',
    replace: 'firstSeq: sampled + start + 1, samples: part.toReversed() });',
  },
  {
    name: 'restored_hq_not_noticed',
    breaks: 'an agent does not notice that HQ holds less than it had confirmed',
    file: 'src/journal/journal.ts',
    find: 'if (subtract(acked, held).length === 0) return',
    replace: 'if (subtract(acked, held).length >= 0) return',
    fromSeed: 30,
  },
  {
    name: 'copy_taken_for_the_original',
    breaks: 'HQ takes what a copy of a journal delivers for what the original would have',
    file: 'src/hq/ingest/core/handlers/hello.ts',
    find: "return judgeRun(knownOf(known), hello) === 'fork' ?",
    replace: 'return judgeRun(knownOf(known), hello).length === 0 ?',
  },
  {
    name: 'copy_that_sampled_on_is_not_noticed',
    breaks:
      'a journal that went back is known as such only until its agent starts again with more samples than HQ has',
    file: 'src/journal/journal.ts',
    find: 'const begun = opened.begun ?? opened.sampled;',
    replace: 'const begun = opened.sampled;',
    fromSeed: 71,
    hours: 0.1,
  },
  {
    name: 'slow_dashboard_misses_changes',
    breaks: 'of what changes while a dashboard takes nothing only the last is kept',
    file: 'src/hq/gateway/pending-delta.ts',
    find: 'for (const agent of delta.agents) agents.set(agent.id, agent);',
    replace: 'agents.clear();\n  for (const agent of delta.agents) agents.set(agent.id, agent);',
  },
  {
    name: 'bucket_forgets_a_maximum',
    breaks: 'of the buckets that are joined only the first gives its maximum',
    file: 'src/protocol/statistics.ts',
    find: 'into.max[at] = Math.max(into.max[at] as number, max);',
    replace: 'if ((into.numbers[at] as number) === numbers) into.max[at] = max;',
    fromSeed: 13,
  },
  {
    name: 'whole_samples_lost_in_downsampling',
    breaks: 'what is to stay whole is not written again when its frame is thinned',
    file: 'src/journal/downsampling/downsample.ts',
    find: 'for (const bytes of kept) editor.addFrame(bytes, readHeader(bytes), true);',
    replace: 'for (const bytes of kept.slice(1)) editor.addFrame(bytes, readHeader(bytes), true);',
    fromSeed: 13,
  },
  {
    name: 'window_not_bounded',
    breaks: 'backlog goes into a slow link without bound',
    file: 'src/agent/uplink/link-window.ts',
    find: 'if (inFlight.bytes + wireBytes <= window.bytes) return true;',
    replace: 'if (inFlight.bytes + wireBytes <= window.bytes + 1e9) return true;',
    fromSeed: 11,
    hours: 0.1,
  },
  {
    name: 'backlog_pieces_not_cut',
    breaks:
      'frames of the backlog are as large as HQ takes them, and live ones wait behind them in the socket',
    file: 'src/agent/uplink/link-window.ts',
    find: 'pieceBytes: Math.floor(Math.min(LARGEST_BYTES, Math.max(leastFrame, payloadWithin(piece)))),',
    replace: 'pieceBytes: Math.max(LARGEST_BYTES, payloadWithin(piece)),',
    fromSeed: 56,
    hours: 0.1,
  },
  {
    name: 'rate_never_falls',
    breaks: "the estimate of a link's rate keeps the greatest that it ever had",
    file: 'src/agent/uplink/link-estimate.ts',
    find: `export function nextEstimate(
  estimate: LinkEstimate,
  event: EstimateEvent,
  options: EstimateOptions,
): LinkEstimate {`,
    replace: `export function nextEstimate(before: LinkEstimate, event: EstimateEvent, options: EstimateOptions): LinkEstimate {
  const next = trueEstimate(before, event, options);
  const rate = Math.max(rateOf(before) ?? 0, rateOf(next) ?? 0);
  return rate > 0 && event.type !== 'connected' ? { ...next, rates: [{ rate, round: next.round }] } : next;
}
function trueEstimate(estimate: LinkEstimate, event: EstimateEvent, options: EstimateOptions): LinkEstimate {`,
    fromSeed: 11,
    hours: 0.1,
  },
  {
    name: 'startup_believes_anything',
    breaks: 'a single frame that took no longer than a small one makes a new link a fast one',
    file: 'src/agent/uplink/link-estimate.ts',
    find: 'const sample = Math.min(told, before, LEAP * roundRate);',
    replace: 'const sample = 20 * Math.max(told, before);',
    fromSeed: 11,
    hours: 0.1,
  },
  {
    name: 'timeout_ignores_progress',
    breaks: 'a frame has the ack timeout and no longer, whatever the link carries meanwhile',
    file: 'src/delivery/deadline.ts',
    find: 'withDeadline(most, scheduler, silent, patience.progress$())',
    replace: 'withDeadline(ackTimeoutMs, scheduler, silent, NEVER)',
    fromSeed: 11,
    hours: 0.1,
  },
  {
    name: 'schema_raced',
    breaks: 'all frames of a schema that HQ does not know go at once',
    file: 'src/agent/uplink/known-schemas.ts',
    find: 'if (unknown.length === 0) return delivery;',
    replace: 'if (unknown.length >= 0) return delivery;',
    fromSeed: 8,
  },
  {
    name: 'batch_joins_what_is_on_its_way',
    breaks: 'a batch of the backlog takes along what the live lane has sent, or HQ has already',
    file: 'src/agent/uplink/backlog-lane.ts',
    find: 'mayJoin: (frame) => isUntouched(frame, { acked: memory.acked, taken }),',
    replace:
      'mayJoin: (frame) => isUntouched(frame, { acked: memory.acked, taken }) || frame.bytes.length > 0,',
    fromSeed: 2,
  },
  {
    name: 'budget_ignored',
    breaks: 'a data budget limits nothing',
    file: 'src/agent/uplink/metering/data-budget.ts',
    find: "return span === 'day' ? settings.maxBytesPerDay : settings.maxBytesPerMonth;",
    replace: "return span === 'day' ? 0 : settings.maxBytesPerMonth;",
    fromSeed: 26,
  },
  {
    name: 'episodes_without_a_bound',
    breaks: 'HQ keeps all anomaly episodes of an agent that has too many',
    file: 'src/hq/store/episode-retention.ts',
    find: 'if (episodes > maxEpisodes) crowded.add(agent);',
    replace: 'if (episodes < 0) crowded.add(agent);',
  },
  {
    name: 'filed_without_a_frame',
    breaks: 'a frame of the log is left out when the others are filed into the index',
    file: 'src/hq/store/filing.ts',
    find: '...mergedRecord(run, yield* merged(run)) });',
    replace: '...mergedRecord(run, yield* merged(run.slice(0, -1))) });',
  },
  {
    name: 'log_removed_before_it_is_filed',
    breaks: 'entries leave the log before they are in the index',
    file: 'src/hq/store/log-keeper.ts',
    find: 'const to = Math.min(options.readTo(), filedTo(transactions));',
    replace: 'const to = options.readTo();',
  },
  {
    name: 'log_removed_before_it_is_saved',
    breaks: 'entries leave the log before the states of their epochs say what they hold',
    file: 'src/hq/store/log-keeper.ts',
    find: 'const safe = Math.min(to, savedTo());',
    replace: 'const safe = Math.max(to, savedTo());',
  },
  {
    name: 'log_not_replayed',
    breaks: 'a start of HQ believes the saved states and does not look at the log behind them',
    file: 'src/hq/store/load-view.ts',
    find: 'if (logNumber <= state.logTo) continue;',
    replace: 'if (logNumber > 0) continue;',
  },
  {
    name: 'rolled_up_without_a_frame',
    breaks: 'rollups say that they hold frames which they have not looked at',
    file: 'src/hq/store/rollup-keeper.ts',
    find: 'if (record !== undefined) inputs.push({ record, owns: null });',
    replace: 'if (record !== undefined && number % 2 === 0) inputs.push({ record, owns: null });',
  },
  {
    name: 'rollups_left_out_of_the_log',
    breaks: 'entries leave the log before they are in the rollups',
    file: 'src/hq/store/open-hq-store.ts',
    find: 'Math.min(indexer.readTo(), rollups.keeper.rolledTo())',
    replace: 'indexer.readTo()',
  },
  {
    name: 'purge_leaves_times',
    breaks: 'the index by time of an agent that was removed for good stays',
    file: 'src/hq/store/purge-records.ts',
    find: "!['A', 'D', 'F'].includes(kind)",
    replace: "!['A', 'D', 'F', 'T'].includes(kind)",
    fromSeed: 126,
  },
];
