import { useEffect, useRef, useState } from 'react';
import { Subscription } from 'rxjs';
import { CHAOS_MODES, type Chaos, type ChaosMode } from '../../../protocol/api.ts';
import { Command } from '../../components/command.tsx';
import { Segmented } from '../../components/segmented.tsx';
import { Age } from '../../components/time.tsx';
import { errorText } from '../../state/error-text.ts';
import { useChaos, useIsLive } from '../../state/fleet.ts';
import { setChaosMode } from './chaos-command.ts';

const MODE_HINTS: Readonly<Record<ChaosMode, string>> = {
  off: 'leave the link alone',
  random: 'cut, slow and lose at random',
  down: 'refuse every frame until switched off',
  slow: 'delay every answer',
  lossy: 'lose some messages without an answer',
};
const EFFECTS: Readonly<Record<Chaos['effect'], string>> = {
  none: 'Link undisturbed',
  down: 'Link cut: agents are refused and journal on',
  slow: 'Link slowed: answers come late',
  lossy: 'Link lossy: some messages vanish',
};
const OPTIONS = CHAOS_MODES.map((mode) => ({ value: mode, label: mode, hint: MODE_HINTS[mode] }));

/** Spoils HQ's own link on purpose, so that one can watch journals grow and gaps fill. */
export function ChaosCard() {
  const chaos = useChaos();
  const live = useIsLive();
  const [error, setError] = useState<string | null>(null);
  const [wanted, setWanted] = useState<ChaosMode | null>(null);
  const running = useRef(Subscription.EMPTY);
  useEffect(() => () => running.current.unsubscribe(), []);
  const mode = chaos?.mode ?? null;
  // HQ's answer comes before the news of it: what was chosen stays shown until then, so that the switch does not jump
  // back.
  useEffect(() => {
    setWanted((before) => (running.current.closed || before === mode ? null : before));
  }, [mode]);
  if (chaos === null) return null;

  const choose = (mode: ChaosMode) => {
    running.current.unsubscribe();
    setError(null);
    setWanted(mode);
    running.current = setChaosMode(mode).subscribe({
      error: (reason: unknown) => {
        setWanted(null);
        setError(errorText(reason));
      },
    });
  };

  return (
    <section className={`card chaos chaos-${chaos.effect}`} aria-labelledby="chaos-title">
      <div className="card-head">
        <h2 id="chaos-title">Chaos</h2>
      </div>
      <Segmented
        label="Chaos mode"
        options={OPTIONS}
        value={wanted ?? chaos.mode}
        onChange={choose}
        disabled={!chaos.enabled || !live}
      />
      <p className="chaos-effect" role="status">
        <span className="chaos-dot" aria-hidden="true" />
        <span>
          {EFFECTS[chaos.effect]}
          {chaos.effect !== 'none' && (
            <span className="quiet">
              {' '}
              for <Age ts={chaos.since} />
            </span>
          )}
        </span>
      </p>
      {!chaos.enabled && (
        <p className="hint">
          Switched off at this HQ. Start it with <Command text="holdfast hq --chaos-enabled" />, or run{' '}
          <Command text="holdfast demo" />.
        </p>
      )}
      {chaos.enabled && <p className="hint">{MODE_NOTES[chaos.mode]}</p>}
      {error !== null && (
        <p className="problem" role="alert">
          {error}
        </p>
      )}
    </section>
  );
}

const MODE_NOTES: Readonly<Record<ChaosMode, string>> = {
  off: 'Choose down, and agents go offline and journal on; choose off again, and the gaps fill.',
  random: 'HQ cuts, slows and loses at random, and recovers by itself.',
  down: 'Nothing is lost: agents write to their journals and deliver when you choose off.',
  slow: 'Lag and round trips grow; nothing is lost.',
  lossy: 'Agents send again what was not acked; HQ stores each sample once.',
};
