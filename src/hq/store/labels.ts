/** Labels of agents, as the store keeps them. */
import { z } from 'zod';
import { labelsSchema, setLabelsSchema } from '../../protocol/labels.ts';

export const labelRecordSchema = z.object({ told: labelsSchema, set: setLabelsSchema });
