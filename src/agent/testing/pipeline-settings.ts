import { agentConfigSchema } from '../config.ts';
import { createDetectionMemory, type DetectionMemory } from '../pipeline/detection-memory.ts';
import { PIPELINE_BOUNDS, type PipelineSettings } from '../pipeline/pipeline-types.ts';

const { journal, detect } = agentConfigSchema.parse({});
const { limits: _, ...detection } = detect;

/** Those of an agent without any setting. */
export const DEFAULT_PIPELINE_SETTINGS: PipelineSettings = {
  ...PIPELINE_BOUNDS,
  commitMs: journal.commitMs,
  detection,
  ranges: [],
};

/** Keeps nothing of what detection learns. */
export const noMemory = (): DetectionMemory =>
  createDetectionMemory({ store: undefined, clock: { now: () => 0 }, emit: () => {} });
