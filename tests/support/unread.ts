/** Finds what a validator that only looks at what it knows passes over. */

type Watched<T> = {
  /** To be validated. */
  readonly value: T;
  /** Paths of what nobody has read yet, such as `.spec.replcias`. */
  readonly unread: () => string[];
};

/** `value`, deeply watched. */
export function watchReads<T extends object>(value: T): Watched<T> {
  const seen = new Set<string>();
  const watch = (node: object, path: string): object =>
    new Proxy(node, {
      get: (target, key) => {
        const child: unknown = Reflect.get(target, key);
        if (typeof key === 'symbol') return child;
        seen.add(`${path}.${key}`);
        return typeof child === 'object' && child !== null ? watch(child, `${path}.${key}`) : child;
      },
    });
  const unreadBelow = (node: unknown, path: string): string[] =>
    typeof node !== 'object' || node === null
      ? []
      : Object.entries(node).flatMap(([key, child]) =>
          seen.has(`${path}.${key}`) ? unreadBelow(child, `${path}.${key}`) : [`${path}.${key}`],
        );
  return { value: watch(value, '') as T, unread: () => unreadBelow(value, '') };
}
