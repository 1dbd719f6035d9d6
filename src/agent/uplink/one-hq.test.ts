import { firstValueFrom, type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Hello, HelloReply } from '../../protocol/events.ts';
import { StorageError } from '../../storage/storage.ts';
import { journalStats } from '../testing/journal-stats.ts';
import { type Link, LinkError, type LinkEvent, type LinkSession, onlyWay } from './link.ts';
import { createOneHqLink, type OneHqJournal } from './one-hq.ts';

const HELLO: Hello = {
  protocol: 1,
  schema: 1,
  agent: 'edge',
  epoch: '0123456789ab',
  instance: 'me',
  version: '0',
  sampled: 9,
  released: 0,
  ts: 0,
};
const ACCEPTED = {
  ok: true as const,
  protocol: 1,
  ack: { contiguous: 0, ranges: [] },
  limits: { maxFrameBytes: 1, maxFrameSamples: 1, maxSeries: 1 },
  credit: 8,
  hqTs: 0,
};

type Told = { readonly reply: HelloReply | null; readonly error: LinkError | null };

/**
 * Says hello to an HQ that answers `reply`, from a journal that has noted `noted` and had `acked` samples acknowledged.
 */
async function sayHello(
  { noted, acked = 5 }: { noted: string | null; acked?: number },
  reply: HelloReply,
  noteHq: (hq: string) => Observable<void> = () => of(undefined),
): Promise<Told & { readonly said: Hello[]; readonly notes: string[] }> {
  const said: Hello[] = [];
  const notes: string[] = [];
  const session = {
    way: onlyWay('http://south'),
    hello: (hello: Hello) => {
      said.push(hello);
      return of(reply);
    },
  } as unknown as LinkSession;
  const link: Link = { connect: () => of<LinkEvent>({ type: 'open', session }) };
  const journal: OneHqJournal = {
    stats: () => journalStats({ hq: noted, acked, sampled: 9 }),
    noteHq: (hq) => {
      notes.push(hq);
      return noteHq(hq);
    },
  };
  const opened = await firstValueFrom(createOneHqLink(link, journal).connect());
  if (opened.type !== 'open') throw new Error('not open');
  const told: Told = await firstValueFrom(opened.session.hello(HELLO)).then(
    (answer) => ({ reply: answer, error: null }),
    (error: unknown) => {
      if (error instanceof LinkError) return { reply: null, error };
      throw error;
    },
  );
  return { ...told, said, notes };
}

describe('an agent that has delivered to one HQ', () => {
  it('goes on with it, and notes nothing again', async () => {
    const { reply, said, notes } = await sayHello({ noted: 'north' }, { ...ACCEPTED, hq: 'north' });
    expect(reply).toMatchObject({ ok: true, hq: 'north' });
    expect(said).toMatchObject([{ hq: 'north' }]);
    expect(notes).toEqual([]);
  });

  it('refuses another by name, and says what to do', async () => {
    const { error, notes } = await sayHello({ noted: 'north' }, { ...ACCEPTED, hq: 'south-id' });
    expect(error?.kind).toBe('other_hq');
    for (const part of ['http://south', 'south-id', 'north', '--new-epoch', '--hq'])
      expect(error?.message).toContain(part);
    expect(notes).toEqual([]);
  });

  it('takes the refusal of another for the same', async () => {
    const refusal = { ok: false as const, error: { code: 'other_hq' as const, message: 'HQ is south-id' } };
    const { error } = await sayHello({ noted: 'north' }, refusal);
    expect(error).toMatchObject({ kind: 'other_hq', message: expect.stringContaining('south-id') });
  });

  it('takes an HQ that tells no identity as it is', async () => {
    const { reply, notes } = await sayHello({ noted: 'north' }, ACCEPTED);
    expect([reply, notes]).toEqual([ACCEPTED, []]);
  });
});

describe('an agent that has delivered to none that told its identity', () => {
  it.each([
    ['has noted none', { noted: null }],
    ['had nothing acknowledged by the one that it noted', { noted: 'north', acked: 0 }],
  ])('%s: notes the first before it goes on', async (_what, journal) => {
    const { reply, said, notes } = await sayHello(journal, { ...ACCEPTED, hq: 'south-id' });
    expect(reply).toMatchObject({ ok: true });
    expect(said[0]?.hq).toBeUndefined();
    expect(notes).toEqual(['south-id']);
  });

  it('does not go on where that cannot be noted', async () => {
    const full = () => throwError(() => new StorageError('full', 'no room'));
    const { error } = await sayHello({ noted: null }, { ...ACCEPTED, hq: 'south-id' }, full);
    expect(error).toMatchObject({ kind: 'closed', message: expect.stringContaining('no room') });
  });
});
