/** The actor kernel: logic as a pure transition, a bounded mailbox, supervision, ordered stop. */
export type {
  ActorLogic,
  ActorOptions,
  ActorRef,
  ActorStatus,
  Delivery,
  EffectRunner,
  MailboxLoad,
  MailboxOptions,
  Step,
  SupervisionOptions,
} from './actor.ts';
export { AskRefused, AskTimeout, MailboxOverflow, SpawnRefused } from './errors.ts';
export { type ActorSystem, type ActorSystemOptions, createActorSystem } from './system.ts';
