/** RxJS operators for telemetry over unreliable networks; published as `holdfast/streams`. */
export { type Backoff, type BackoffOptions, backoff } from './backoff.ts';
export type { BreakerState } from './breaker-state.ts';
export {
  BreakerOpenError,
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
} from './circuit-breaker.ts';
export { type CollectOptions, collect } from './collect.ts';
export { conflate, type Fold } from './conflate.ts';
export { conflateEvery } from './conflate-every.ts';
export {
  type AnomalyDetector,
  type AnomalyOptions,
  createAnomalyDetector,
  detectAnomalies,
  type Episode,
} from './detect-anomalies.ts';
export { type RetryNotice, type RetryOptions, type RetryVerdict, retryWith } from './retry-with.ts';
export { createRollingStats, type RollingStats, rollingStats, type Stats } from './rolling-stats.ts';
export { type SampleTick, sampleEvery } from './sample-every.ts';
export { type TokenBucketOptions, tokenBucket } from './token-bucket.ts';
export { type WindowedOptions, WindowOverflowError, windowed } from './windowed.ts';
export { withDeadline } from './with-deadline.ts';
export { type Scored, type ZScoreOptions, zScore } from './z-score.ts';
