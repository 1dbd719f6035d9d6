import { forkJoin, map, type Observable, of, switchMap, tap } from 'rxjs';
import { bounded, type CollectorFactory, type HostAccess } from '../collector.ts';
import { sensorPlace } from '../sensor-place.ts';

type Sensor = {
  readonly id: string;
  readonly path: string;
  /** Directory of the chip or zone that it is of. */
  readonly directory: string;
};

/** Sensors come and go seldom, and looking for them reads dozens of files. */
const LOOK_AGAIN_MS = 60_000;

/** Temperatures of the sensors in /sys/class/hwmon, else of the thermal zones. */
export const temperature: CollectorFactory = (host) => {
  let known: { readonly sensors: readonly Sensor[]; readonly at: number } | null = null;
  const read = ({ id, path }: Sensor) =>
    host.files.readLater(path).pipe(
      map((text) => ({
        series: host.series('hw.temperature', 'Cel', { id }),
        value: text === null || text.trim() === '' ? null : Number(text) / 1000,
      })),
    );
  const readAll = (sensors: readonly Sensor[]) => all(sensors.map(read));
  return {
    name: 'temperature',
    collect: () => {
      if (known !== null && host.precise() - known.at < LOOK_AGAIN_MS) {
        return known.sensors.length === 0 ? [] : readAll(known.sensors);
      }
      return findSensors(host).pipe(
        tap((sensors) => {
          known = { sensors, at: host.precise() };
        }),
        switchMap(readAll),
      );
    },
  };
};

function findSensors(host: HostAccess): Observable<readonly Sensor[]> {
  return hwmonSensors(host).pipe(
    switchMap((found) => (found.length > 0 ? of(found) : thermalZones(host))),
    map((found) => bounded(host, 'temperature', distinct(host, found))),
  );
}

function hwmonSensors({ files }: HostAccess): Observable<readonly Sensor[]> {
  const base = '/sys/class/hwmon';
  return files.listLater(base).pipe(
    switchMap((chips) =>
      all(
        [...chips].sort().map((chip) =>
          forkJoin([files.readLater(`${base}/${chip}/name`), files.listLater(`${base}/${chip}`)]).pipe(
            switchMap(([name, entries]) =>
              all(
                entries
                  .filter((entry) => /^temp\d+_input$/.test(entry))
                  .sort()
                  .map((entry) =>
                    files.readLater(`${base}/${chip}/${entry.replace('_input', '_label')}`).pipe(
                      map((label) => ({
                        id: `${name?.trim() ?? chip}/${label?.trim() ?? entry.replace('_input', '')}`,
                        path: `${base}/${chip}/${entry}`,
                        directory: `${base}/${chip}`,
                      })),
                    ),
                  ),
              ),
            ),
          ),
        ),
      ),
    ),
    map((chips) => chips.flat()),
  );
}

function thermalZones({ files }: HostAccess): Observable<readonly Sensor[]> {
  const base = '/sys/class/thermal';
  return files.listLater(base).pipe(
    switchMap((entries) =>
      all(
        entries
          .filter((entry) => entry.startsWith('thermal_zone'))
          .sort()
          .map((zone) =>
            files.readLater(`${base}/${zone}/type`).pipe(
              map((type) => ({
                id: type?.trim() ?? zone,
                path: `${base}/${zone}/temp`,
                directory: `${base}/${zone}`,
              })),
            ),
          ),
      ),
    ),
  );
}

/** forkJoin that gives an empty list for an empty list. */
function all<T>(sources: readonly Observable<T>[]): Observable<readonly T[]> {
  return sources.length === 0 ? of([]) : forkJoin(sources);
}

/** Sensors of one name, as of two drives of a kind, are told apart by the device that each is part of. */
function distinct({ files }: HostAccess, sensors: readonly Sensor[]): readonly Sensor[] {
  const counts = new Map<string, number>();
  for (const { id } of sensors) counts.set(id, (counts.get(id) ?? 0) + 1);
  const seen = new Map<string, number>();
  return sensors.map((sensor) => {
    const isOnly = counts.get(sensor.id) === 1;
    const id = isOnly ? sensor.id : `${sensor.id}@${sensorPlace(files, sensor.directory)}`;
    const number = (seen.get(id) ?? 0) + 1;
    seen.set(id, number);
    return { ...sensor, id: (number === 1 ? id : `${id}-${number}`).slice(0, 256) };
  });
}
