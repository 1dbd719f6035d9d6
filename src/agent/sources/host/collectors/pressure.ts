import type { CollectorFactory } from '../collector.ts';
import { createPressureReader, RESOURCES, type Resource } from '../pressure-reader.ts';

const fileOf = (resource: Resource) => `/proc/pressure/${resource}`;

/** On request: in which share of the time tasks of the machine waited for a resource. */
export const pressure: CollectorFactory = (host) => {
  const { files, wanted, remark } = host;
  const read = createPressureReader(host, 'system.pressure');
  return {
    name: 'pressure',
    paths: wanted.pressure ? RESOURCES.map(fileOf) : [],
    collect: () => {
      if (!wanted.pressure) return [];
      const readings = read(fileOf);
      const absent = `${files.locate('/proc/pressure')} is not there`;
      remark('pressure', 'absent', readings.length === 0 ? absent : null);
      return readings;
    },
  };
};
