/** Settings of `holdfast demo`. */
import { z } from 'zod';

export const demoConfigSchema = z.object({
  port: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(8000)
    .describe('port of HQ and the dashboard on 127.0.0.1; 0 picks a free one'),
  agents: z.number().int().min(1).max(50).default(3).describe('how many agents to start'),
  dataDir: z.string().min(1).default('holdfast-demo').describe('folder for the journals and the store'),
  chaos: z.enum(['random', 'off']).default('random').describe('whether HQ cuts its own link now and then'),
});
export type DemoConfig = z.infer<typeof demoConfigSchema>;
