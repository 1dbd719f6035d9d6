/** How many backlog frames an agent may have in flight: a fair share of the room in the queue, never less than one. */
export type CreditShareOptions = {
  /** Frames of an agent when there is room for all. */
  readonly perAgent: number;
  /** Backlog frames of all agents together that the queue has room for. */
  readonly total: number;
};

/** `drainingAgents`: those that sent backlog frames lately; `load`: share of the queue in use, 0 … 1. */
export function creditShare(
  { perAgent, total }: CreditShareOptions,
  { drainingAgents, load }: { readonly drainingAgents: number; readonly load: number },
): number {
  const fair = Math.floor(total / Math.max(1, drainingAgents));
  // Below half load there is no need to brake; from there to a full queue it goes down to one.
  const brake = load <= 0.5 ? 1 : Math.max(0, 2 - 2 * load);
  return Math.max(1, Math.min(perAgent, fair, Math.ceil(perAgent * brake)));
}
