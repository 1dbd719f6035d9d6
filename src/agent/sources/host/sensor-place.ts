/**
 * What a sensor is part of, by its place in the machine: the kernel numbers what it finds in the order of finding,
 * which is another one at each boot.
 */
import type { HostFiles } from './files.ts';

/** Directories whose names are numbered so, or say nothing. */
const NUMBERED = /^(hwmon|nvme|ata|host|i2c-)\d*$|^target\d+:/;
/** An input device: bus, vendor, product, and a number. */
const HID = /^[0-9A-F]{4}:[0-9A-F]{4}:[0-9A-F]{4}\.[0-9A-F]{4}$/;
/** A chip on a bus that is numbered. */
const I2C = /^\d+-([0-9a-f]{4})$/;

/**
 * Such as `0000:02:00.0`, `coretemp.0` or `naa.5000c500a1b2c3d4`; `sensors`: the directory of a chip of
 * /sys/class/hwmon, or of a thermal zone.
 */
export function sensorPlace(files: HostFiles, sensors: string): string {
  // What a disk calls itself, and what ACPI calls a zone.
  const own = files.readOptional(`${sensors}/device/wwid`) ?? files.readOptional(`${sensors}/device/path`);
  if (own !== null && own.trim() !== '') return own.trim().replace(/^\\/, '').replace(/\s+/g, '_');
  const parts = (files.realPath(sensors) ?? sensors).split('/').filter((part) => !NUMBERED.test(part));
  const last = parts.at(-1) ?? sensors;
  const before = parts.at(-2) ?? '';
  if (HID.test(last)) return before;
  const address = I2C.exec(last)?.[1];
  return address === undefined ? last : `${before}/${address}`;
}
