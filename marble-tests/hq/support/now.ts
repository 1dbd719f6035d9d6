/** Reads an Observable that answers at once. */
import type { Observable } from 'rxjs';

/** Its one value; throws when it emits none within the subscription, or fails. */
export function now<T>(source: Observable<T>): T {
  const values: T[] = [];
  const subscription = source.subscribe((value) => void values.push(value));
  subscription.unsubscribe();
  const [value, ...more] = values;
  if (values.length === 0 || more.length > 0) throw new Error(`${values.length} answers came at once`);
  return value as T;
}
