/** Programmer errors in options fail at once, with the name and the value. */
export function requireAtLeast(name: string, value: number, minimum: number): void {
  if (!(value >= minimum)) throw new RangeError(`${name} must be at least ${minimum}, got ${value}`);
}

export function requireAbove(name: string, value: number, bound: number): void {
  if (!(value > bound)) throw new RangeError(`${name} must be above ${bound}, got ${value}`);
}

export function requireCount(name: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1)) {
    throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`);
  }
}
