/** `hello`: who this is, whether it may have the lease, and what HQ holds of its epoch. */
import { concatMap, EMPTY, finalize, forkJoin, map, type Observable, of, switchMap, tap } from 'rxjs';
import { type Hello, type HelloReply, NOTES_VERSION } from '../../../../protocol/events.ts';
import type { EpochRecord, NotedEpoch } from '../../../store/store.ts';
import { agreed, heldFields } from '../agreed.ts';
import { creditFields, creditMessage } from '../credit-fields.ts';
import { whyForked } from '../fork-reason.ts';
import { acceptedRun, judgeRun, type Known } from '../judge-run.ts';
import type { Places } from '../known-agents.ts';
import { isRefused, type Refused, refuse, refuseOther, refuseUnavailable } from '../refusal.ts';
import { tellRefusedHello } from '../refused-hello.ts';
import { seenThrough } from '../seen-through.ts';
import { behindChaos, noteLost, type Session, storageFailed } from '../session.ts';
import { createSessionView, type Loaded } from '../session-view.ts';
import { refuseVersion } from './version.ts';

const DUPLICATE_RETRY_MS = 5_000;

export function handleHello(session: Session, hello: Hello): Observable<HelloReply> {
  const { shared } = session;
  const { agent, epoch } = hello;
  return behindChaos(session, () => {
    const wrong = checkHello(session, hello);
    if (wrong !== null) return of(wrong);
    // While it is being retired the claim waits: what HQ knows of it is asked after that.
    return shared.agents.claim([agent]).pipe(
      concatMap((places) =>
        shared.store.epoch(agent, epoch).pipe(
          concatMap((known) => claim(session, hello, { known, places })),
          finalize(() => places?.giveBack()),
        ),
      ),
      storageFailed(session, 'hello'),
    );
  });
}

type Found = {
  /** Of the epoch. */
  readonly known: EpochRecord | null;
  /** Null: HQ does not know the agent and has no place for it. */
  readonly places: Places | null;
};

/** From here on without a break: the session is claiming before anything else that it says is looked at. */
function claim(session: Session, hello: Hello, found: Found): Observable<HelloReply> {
  const { shared } = session;
  const { agent, epoch, instance } = hello;
  // It was ended while the store was asked.
  if (session.state().kind === 'leaving') return EMPTY;
  const wrong = checkClaim(session, hello, found);
  const { places } = found;
  if (wrong !== null) return of(wrong);
  if (places === null) return of(noPlace(session, hello));
  const held = session.established();
  session.become(held === null ? { kind: 'claiming', agent, instance } : { ...held, instance });
  return shared.leases.acquire(agent, session).pipe(
    concatMap((granted): Observable<HelloReply> => {
      if (!granted) return refuseDuplicate(session, hello);
      const waitMs = found.known === null ? shared.admitEpoch(agent, epoch) : 0;
      return waitMs > 0 ? of(tooManyEpochs(waitMs)) : accept(session, hello, places);
    }),
    storageFailed(session, 'hello'),
    tap((reply) => {
      // A lease without an accepted hello would keep others out.
      if (!isRefused(reply) || session.state().kind !== 'claiming') return;
      shared.leases.release(agent, session).subscribe();
      session.become({ kind: 'connected' });
    }),
  );
}

/** What it says is judged by itself. */
function checkHello({ shared }: Session, hello: Hello): Refused | null {
  const version = refuseVersion(hello);
  if (version !== null) return version;
  const other = refuseOther(hello, shared.identity);
  if (other !== null) return other;
  if (hello.released > hello.sampled) return refuse('bad_request', 'hello: released is beyond sampled');
  return null;
}

/** It is judged by what HQ knows. */
function checkClaim({ state }: Session, hello: Hello, { known }: Found): Refused | null {
  const now = state();
  if ('agent' in now && now.agent !== hello.agent) {
    const advice = `this connection belongs to ${now.agent}; open another for ${hello.agent}`;
    return refuse('bad_request', advice);
  }
  if (known?.owned === true) {
    const advice = `epoch ${hello.epoch} belongs to samples that came by HTTP; start a new journal`;
    return refuse('bad_request', advice);
  }
  return null;
}

function noPlace(session: Session, { agent }: Hello): Refused {
  const detail = `HQ knows ${session.shared.agents.max} agents already and takes no more`;
  tellRefusedHello(session, { agent, reason: 'registry_full', detail });
  return refuseUnavailable(detail, 60_000);
}

/** Both are told, and the operators. */
function refuseDuplicate(session: Session, { agent, epoch }: Hello): Observable<Refused> {
  return session.shared.store
    .agent(agent)
    .pipe(map((record) => refusedDuplicate(session, agent, record?.epoch === epoch)));
}

/** `same`: it has the journal of the one that holds the lease. */
function refusedDuplicate({ shared, transport }: Session, agent: string, same: boolean): Refused {
  const { address } = transport;
  const detail = `a second agent at ${address} claims to be ${agent}${same ? ' with the same journal' : ''}`;
  shared.leases.warn(agent, `${detail}; HQ refuses it`);
  shared.emit({ type: 'duplicate_agent', agent, address, detail });
  shared.link({ kind: 'alarm', agent, alarm: 'duplicate_agent', detail, ts: shared.clock.now() });
  const advice = 'give each its own id (--id), and a cloned disk its own life (--new-epoch)';
  const message = `another live agent is called ${agent}: ${advice}`;
  return refuse('duplicate_agent', message, { retryAfterMs: DUPLICATE_RETRY_MS });
}

function tooManyEpochs(retryAfterMs: number): Refused {
  const message = 'this agent begins new journals faster than HQ allows: keep its data directory';
  return refuse('rate_limited', message, { retryAfterMs });
}

/** It would deliver other samples under seqs that HQ has already. `holder`: another agent, whose epoch it is. */
function refuseFork({ shared, transport }: Session, hello: Hello, holder: string | null): Refused {
  const { address } = transport;
  const { agent } = hello;
  const detail = `the journal of ${agent} at ${address} ${whyForked(hello, holder)}`;
  shared.emit({ type: 'forked_epoch', agent, address, detail });
  shared.link({ kind: 'alarm', agent, alarm: 'forked_epoch', detail, ts: shared.clock.now() });
  return refuse('forked_epoch', `${detail}; it begins a new epoch, or restart it with --new-epoch`);
}

function knownOf(known: EpochRecord | null): Known {
  if (known === null) return { run: null, highest: 0, sampled: 0 };
  const { contiguous, ranges } = known.coverage;
  return { run: known.run, highest: ranges.at(-1)?.[1] ?? contiguous, sampled: known.sampled };
}

/** Accounts for what is lost only once frames of an earlier connection are in: they may be what seems to be missing. */
function accept(session: Session, hello: Hello, places: Places): Observable<HelloReply> {
  const { shared } = session;
  const { store, clock } = shared;
  const { agent, epoch, sampled, released } = hello;
  const askedAt = clock.precise();
  return shared.settled(agent).pipe(
    switchMap(() => forkOf(session, hello)),
    switchMap((fork): Observable<(NotedEpoch & Loaded) | Refused> => {
      const wrong = fork ?? refuseSlower(session, agent);
      if (wrong !== null) return of(wrong);
      const note = { agent, epoch, sampled, released, run: acceptedRun(hello), ts: clock.now() };
      // The place is held until it is known whether the agent was stored, also when the connection ends meanwhile.
      const own = places.again();
      const noted$ = seenThrough(store.noteEpoch(note), (ok) => (ok ? own.keep() : own.giveBack()));
      return forkJoin([noted$, store.schemas(agent)]).pipe(
        map(([noted, schemas]) => ({ ...noted, schemas })),
      );
    }),
    map((noted): HelloReply => {
      if (isRefused(noted)) return noted;
      const { coverage, lost } = noted;
      noteLost(session, agent, epoch, lost);
      const slower = refuseSlower(session, agent);
      if (slower !== null) return slower;
      const now = clock.now();
      establish(session, hello, { ...noted, now });
      const { maxFrameBytes, maxFrameSamples, maxSeries } = shared.limits;
      return {
        ok: true,
        ...agreed(hello, coverage),
        ...heldFields(hello, clock.precise() - askedAt),
        ...(lost === 0 ? {} : { lost }),
        limits: { maxFrameBytes, maxFrameSamples, maxSeries, notes: NOTES_VERSION },
        ...creditFields(shared.drains.credit(agent)),
        ...session.hint.tell(),
        hqTs: now,
        ...(shared.identity === null ? {} : { hq: shared.identity }),
      };
    }),
  );
}

/** While the store was asked, another connection may have taken the lease. */
function refuseSlower(session: Session, agent: string): Refused | null {
  if (session.shared.leases.holds(agent, session)) return null;
  const message = `another connection of ${agent} was faster`;
  return refuse('duplicate_agent', message, { retryAfterMs: DUPLICATE_RETRY_MS });
}

function forkOf(session: Session, hello: Hello): Observable<Refused | null> {
  const { store, agents } = session.shared;
  const { agent, epoch } = hello;
  return store.epoch(agent, epoch).pipe(
    concatMap((known) =>
      // Under another id: what the original has delivered would count as lost here.
      (known === null ? store.holderOf(epoch) : of(null)).pipe(map((holder) => ({ known, holder }))),
    ),
    map(({ known, holder }) => {
      if (holder !== null) {
        // Its alarm is kept: ids that only ever come like this are bounded, too.
        agents.add(agent);
        return refuseFork(session, hello, holder);
      }
      return judgeRun(knownOf(known), hello) === 'fork' ? refuseFork(session, hello, null) : null;
    }),
  );
}

function establish(
  { shared, transport, become, established, stay }: Session,
  { agent, epoch, instance, sampled, version, protocols, labels, ts }: Hello,
  { now, ...loaded }: Loaded & { readonly now: number },
): void {
  const before = established();
  const view = createSessionView(loaded, before?.epoch === epoch ? before.view : null);
  become({ kind: 'established', agent, instance, epoch, view });
  shared.agents.add(agent);
  stay(agent);
  shared.drains.accepted(agent, {
    sampled,
    contiguous: loaded.coverage.contiguous,
    // Agents that name the versions they speak know of bytes.
    knowsBytes: protocols !== undefined,
    tell: (credit) => transport.sendCredit(creditMessage(credit)),
  });
  const clockOffsetMs = shared.offsetOf(agent).observe(ts, now, null);
  shared.emit({ type: 'agent_connected', agent, epoch, version, connected: shared.leases.size() });
  shared.link({ kind: 'connected', agent, epoch, version, ts: now, sampled, clockOffsetMs, labels });
}
