import type { Delivery } from './actor.ts';

/** No reply came within the deadline of an ask. */
export class AskTimeout extends Error {
  override readonly name = 'AskTimeout';
  constructor(actor: string, deadlineMs: number) {
    super(`actor ${actor} did not answer within ${deadlineMs} ms`);
  }
}

/** An ask cannot be answered: its message was not accepted, or the actor ended before it replied. */
export class AskRefused extends Error {
  override readonly name = 'AskRefused';
  readonly delivery: Exclude<Delivery, 'accepted'>;
  constructor(actor: string, delivery: Exclude<Delivery, 'accepted'>) {
    super(
      delivery === 'stopped'
        ? `actor ${actor} has stopped and answers no more`
        : `the mailbox of actor ${actor} is full; ask again later or enlarge it`,
    );
    this.delivery = delivery;
  }
}

/** A mailbox with overflow `crash` was full: its actor is sent more than it is built for. */
export class MailboxOverflow extends Error {
  override readonly name = 'MailboxOverflow';
  constructor(actor: string, capacity: number) {
    super(`the mailbox of actor ${actor} holds ${capacity} messages and got one more`);
  }
}

/** Spawning is a programming error here: the id is taken, or the system is stopping. */
export class SpawnRefused extends Error {
  override readonly name = 'SpawnRefused';
}
