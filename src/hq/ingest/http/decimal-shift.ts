/**
 * `value × 10^places`, rounded once from the decimal text: 12.3 shifted by −2 is 0.123, where 12.3 / 100 may be a
 * neighbour with 17 digits. Short decimals stay short, and so do the frames that hold them.
 */
export function decimalShift(value: number, places: number): number {
  const [digits, exponent = '0'] = String(value).split('e');
  return Number(`${digits}e${Number(exponent) + places}`);
}
