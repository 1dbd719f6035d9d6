/** GPUs, from what an agent measures and from an export that it replays to what HQ answers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { standIn } from '../../src/agent/sources/gpu/testing/stand-in.ts';
import { gpuSampleSchema, gpuSchema } from '../../src/protocol/api.ts';
import { startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { getJson, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const EXPORT = `timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw
2025-07-18T20:42:34Z,DCGM_FI_DEV_GPU_UTIL,0,nvidia0,GPU-x,NVIDIA H100,h2,,,,7,
2025-07-18T20:42:34Z,DCGM_FI_DEV_GPU_TEMP,0,nvidia0,GPU-x,NVIDIA H100,h2,,,,41,
2025-07-18T20:42:44Z,DCGM_FI_DEV_GPU_UTIL,0,nvidia0,GPU-x,NVIDIA H100,h2,,,,8,
`;

it('are listed with what each is, and their telemetry is found by uuid and by index', async () => {
  const folder = temporaryFolder();
  const program = standIn();
  program.gpus({ index: 0, uuid: 'GPU-a', name: 'NVIDIA A100', 'utilization.gpu': 45 });
  const path = join(folder, 'dcgm.csv');
  writeFileSync(path, EXPORT);
  const hq = await startHqProcess(join(folder, 'hq'), built);
  const start = (id: string, source: string) =>
    startAgentProcess({ ...built, id, hq: hq.url, dataDir: join(folder, id), sources: [source] });
  start('live', `gpu:every=200ms,path=${program.path}`);
  start('old', `csv:layout=long,speed=max,path=${path}`);

  const list = async () =>
    z.object({ items: z.array(gpuSchema) }).parse(await getJson(`${hq.url}/api/v1/gpus`)).items;
  const found = await until('both GPUs', async () => {
    const items = await list();
    return items.length === 2 && items.every(({ lastTs }) => lastTs !== null) ? items : undefined;
  });
  expect(found).toMatchObject([
    { gpu: 'GPU-a', index: '0', model: 'NVIDIA A100', agent: 'live', source: 'gpu', series: 1 },
    { gpu: 'GPU-x', index: '0', model: 'NVIDIA H100', host: 'h2', agent: 'old', source: 'csv', series: 2 },
  ]);

  const telemetry = async (gpu: string, query = '') =>
    z
      .object({ items: z.array(gpuSampleSchema) })
      .parse(await getJson(`${hq.url}/api/v1/gpus/${gpu}/telemetry${query}`)).items;
  expect((await telemetry('GPU-x')).map(({ ts, values }) => ({ ts, values }))).toEqual([
    { ts: Date.UTC(2025, 6, 18, 20, 42, 34), values: { DCGM_FI_DEV_GPU_UTIL: 7, DCGM_FI_DEV_GPU_TEMP: 41 } },
    { ts: Date.UTC(2025, 6, 18, 20, 42, 44), values: { DCGM_FI_DEV_GPU_UTIL: 8 } },
  ]);
  const [later] = await telemetry('GPU-x', '?start_time=2025-07-18T20:42:40Z&limit=1');
  expect(later?.values).toEqual({ DCGM_FI_DEV_GPU_UTIL: 8 });
  expect((await telemetry('0', '?agent=live'))[0]?.values).toEqual({ 'hw.gpu.utilization': 0.45 });

  const several = await fetch(`${hq.url}/api/v1/gpus/0/telemetry`);
  expect(several.status).toBe(409);
  expect(await several.json()).toMatchObject({
    candidates: [
      { gpu: 'GPU-a', agent: 'live' },
      { gpu: 'GPU-x', agent: 'old' },
    ],
  });
});
