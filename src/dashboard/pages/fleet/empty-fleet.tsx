import { Command } from '../../components/command.tsx';
import { useIsLive } from '../../state/fleet.ts';

/** What to do when there is no agent yet. */
export function EmptyFleet() {
  const live = useIsLive();
  if (!live) return null;
  const address = new URL('.', document.baseURI).href.replace(/\/$/, '');
  return (
    <section className="card empty" aria-labelledby="empty-title">
      <h2 id="empty-title">No agent yet</h2>
      <p>Start one on any machine that reaches this HQ. It appears here with its first sample.</p>
      <pre>
        <code>holdfast agent --hq {address} --id my-edge</code>
      </pre>
      <p className="hint">
        Without a sensor at hand: add <Command text="--source sim:hz=10,sensors=4" />. Where HQ asks for a
        token: add <Command text="--token-file FILE" />, or set <code>HOLDFAST_AGENT_TOKEN</code> as at HQ. In
        a checkout of Holdfast, write <Command text="npm exec -- holdfast" /> for <code>holdfast</code>.
      </p>
    </section>
  );
}
