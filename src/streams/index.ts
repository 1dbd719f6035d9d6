/** RxJS operators for telemetry over unreliable networks; published as `holdfast/streams`. */
export type { Random } from '../platform/random.ts';
export { type AdaptiveOptions, createAdaptiveDetector } from './adaptive-detector.ts';
export { type AnomalyDetector, type AnomalyOptions, createAnomalyDetector } from './anomaly-detector.ts';
export { type Backoff, type BackoffOptions, backoff } from './backoff.ts';
export type { BreakerState } from './breaker-state.ts';
export {
  BreakerOpenError,
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
} from './circuit-breaker.ts';
export { conflate } from './conflate.ts';
export {
  type Block,
  type DetectorsFor,
  detectAnomalies,
  type Judged,
  type Row,
  type RowAnomaly,
} from './detect-anomalies.ts';
export type { Episode } from './episodes.ts';
export type { Kept } from './kept.ts';
export { createMeanDetector } from './mean-detector.ts';
export { type RetryNotice, type RetryOptions, type RetryVerdict, retryWith } from './retry-with.ts';
export { createRollingStats, type RollingStats, type Stats } from './rolling-stats.ts';
export { type SampleTick, sampleEvery } from './sample-every.ts';
export { saveEvery } from './save-every.ts';
export { type TokenBucketOptions, tokenBucket } from './token-bucket.ts';
export { withDeadline } from './with-deadline.ts';
