import { useId } from 'react';

type Props<V extends string> = {
  readonly label: string;
  readonly options: readonly { readonly value: V; readonly label: string; readonly hint?: string }[];
  readonly value: V;
  readonly onChange: (value: V) => void;
  readonly disabled?: boolean;
};

/** One of a few: radio buttons in one row, with the keys that radio buttons have. */
export function Segmented<V extends string>({ label, options, value, onChange, disabled = false }: Props<V>) {
  const name = useId();
  return (
    <fieldset className="segmented" disabled={disabled}>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.hint}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
