import { type RefObject, useEffect, useRef, useState } from 'react';

type Listener = (inView: boolean) => void;
const listeners = new WeakMap<Element, Listener>();
/** One observer for all: rows come by the hundred. */
let observer: IntersectionObserver | null = null;

function watch(element: Element, listener: Listener): () => void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) listeners.get(target)?.(isIntersecting);
    },
    { rootMargin: '300px' },
  );
  listeners.set(element, listener);
  observer.observe(element);
  return () => {
    listeners.delete(element);
    observer?.unobserve(element);
  };
}

/** Whether an element is on the screen or close to it. */
export function useInView<E extends Element>(): [ref: RefObject<E | null>, inView: boolean] {
  const ref = useRef<E>(null);
  const [inView, setInView] = useState(false);
  useEffect(() => (ref.current === null ? undefined : watch(ref.current, setInView)), []);
  return [ref, inView];
}
