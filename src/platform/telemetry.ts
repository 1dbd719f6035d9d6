/**
 * Telemetry of ourselves: one typed internal event drives both the log line and the metrics.
 *
 * Each component declares its events once (`EventDefinitions`) and gets an `emit` that is typed by them.
 */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { LogFields, Logger } from './logger.ts';

export type MetricDefinition<F> = {
  /** `holdfast_<noun>_<unit>`; counters end in `_total`. */
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** How much a counter grows, what a gauge becomes, what a histogram observes. Default for counters: 1. */
  readonly value?: (fields: F) => number;
  /** Label names and values; always the same names. */
  readonly labels?: (fields: F) => Readonly<Record<string, string>>;
  readonly labelNames?: readonly string[];
  /** Upper bounds of a histogram's buckets, in the metric's unit. */
  readonly buckets?: readonly number[];
};

type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type EventDefinition<F> = {
  /** Level of the log line, where it depends on the fields a function of them; null writes none. */
  readonly level: LogLevel | null | ((fields: F) => LogLevel);
  readonly message: string;
  readonly metrics: readonly MetricDefinition<F>[];
};

export type EventDefinitions = Readonly<Record<string, EventDefinition<never>>>;

type FieldsOf<D> = D extends EventDefinition<infer F> ? F : never;
/** Every event of a set of definitions, as `{ type, …fields }`. */
export type EventOf<D extends EventDefinitions> = {
  [K in keyof D & string]: { readonly type: K } & FieldsOf<D[K]>;
}[keyof D & string];
export type Emit<D extends EventDefinitions> = (event: EventOf<D>) => void;

/** Types the fields of one event: `defineEvent<{ count: number }>({ … })`. */
export function defineEvent<F extends object>(definition: EventDefinition<F>): EventDefinition<F> {
  return definition;
}

export type Telemetry = { readonly logger: Logger; readonly registry: Registry };

/** An emitter for `definitions`: writes the log line and moves the metrics of each event. */
export function createEmit<D extends EventDefinitions>(definitions: D, telemetry: Telemetry): Emit<D> {
  const handlers = new Map<string, (fields: LogFields) => void>();
  for (const [type, definition] of Object.entries(definitions)) {
    const move = definition.metrics.map((metric) =>
      instrument(metric as unknown as MetricDefinition<LogFields>, telemetry.registry),
    );
    const level = definition.level as EventDefinition<LogFields>['level'];
    handlers.set(type, (fields) => {
      for (const apply of move) apply(fields);
      const at = typeof level === 'function' ? level(fields) : level;
      if (at !== null) telemetry.logger[at](fields, definition.message);
    });
  }
  return (event) => {
    const { type, ...fields } = event;
    handlers.get(type)?.({ event: type, ...fields });
  };
}

function instrument(
  definition: MetricDefinition<LogFields>,
  registry: Registry,
): (fields: LogFields) => void {
  const { name, help, kind, labels, value } = definition;
  const options = { name, help, labelNames: [...(definition.labelNames ?? [])], registers: [registry] };
  const labelsOf = (fields: LogFields) => ({ ...labels?.(fields) });
  switch (kind) {
    case 'counter': {
      const counter =
        (registry.getSingleMetric(name) as Counter<string> | undefined) ?? new Counter<string>(options);
      return (fields) => counter.inc(labelsOf(fields), value?.(fields) ?? 1);
    }
    case 'gauge': {
      const gauge =
        (registry.getSingleMetric(name) as Gauge<string> | undefined) ?? new Gauge<string>(options);
      return (fields) => gauge.set(labelsOf(fields), value?.(fields) ?? 0);
    }
    case 'histogram': {
      const histogram =
        (registry.getSingleMetric(name) as Histogram<string> | undefined) ??
        new Histogram<string>({ ...options, buckets: [...(definition.buckets ?? [])] });
      return (fields) => histogram.observe(labelsOf(fields), value?.(fields) ?? 0);
    }
  }
}

export function createRegistry(): Registry {
  return new Registry();
}
