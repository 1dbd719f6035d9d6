/**
 * Where the files of the agent's own control group are. A group is named from the root of its hierarchy, of which a
 * container sees a part only: the list of mounts says which part (cgroups(7), proc_pid_mountinfo(5)).
 */
import type { HostFiles } from './files.ts';

export type ControlGroup =
  | { readonly version: 2; readonly place: string; readonly isContainer: boolean }
  | {
      readonly version: 1;
      readonly memory: string;
      /** Null: its processor time is counted with that of all others. */
      readonly cpu: string | null;
      readonly cpuacct: string | null;
      readonly isContainer: boolean;
    };

type GroupMount = {
  /** Controllers of version 1; null: the one hierarchy of version 2. */
  readonly controllers: readonly string[] | null;
  /** What of the hierarchy is mounted. */
  readonly root: string;
  readonly mountpoint: string;
};

/** Of version 1, or the one hierarchy of version 2. */
type Controller = 'memory' | 'cpu' | 'cpuacct' | 'unified';

/** Looks the group up again when its name has changed. Null: there is none, or it cannot be seen from here. */
export function createGroupFinder(files: HostFiles): () => ControlGroup | null {
  let known: { readonly text: string; readonly group: ControlGroup | null } | null = null;
  return () => {
    const text = files.readOptional('/proc/self/cgroup') ?? '';
    if (known?.text !== text) known = { text, group: findGroup(files, text) };
    return known.group;
  };
}

function findGroup(files: HostFiles, text: string): ControlGroup | null {
  const list = files.readOptional('/proc/self/mountinfo');
  const mounts = list === null ? null : groupMounts(list);
  const find = (controller: Controller) => {
    const path = pathOf(text, controller);
    return path === null ? null : placeOf(files, { controller, path }, mounts);
  };
  const memory = find('memory');
  if (pathOf(text, 'memory') === null) {
    const unified = find('unified');
    return unified === null ? null : { version: 2, ...unified };
  }
  if (memory === null) return null;
  const isWhole = pathOf(text, 'memory') === '/';
  /** Elsewhere the root of a hierarchy is the whole machine. */
  const own = (controller: Controller) =>
    !isWhole && !memory.isContainer && pathOf(text, controller) === '/'
      ? null
      : (find(controller)?.place ?? null);
  const { place, isContainer } = memory;
  return {
    version: 1,
    memory: place,
    cpu: own('cpu'),
    cpuacct: own('cpuacct'),
    isContainer: isContainer && !isWhole,
  };
}

/** Lines of /proc/PID/cgroup: hierarchy, controllers, path. */
function pathOf(text: string, controller: Controller): string | null {
  const controllers = controller === 'unified' ? '' : `(?:[^:]*,)?${controller}(?:,[^:]*)?`;
  const hierarchy = controller === 'unified' ? '0' : '\\d+';
  return new RegExp(`^${hierarchy}:${controllers}:(.*)$`, 'm').exec(text)?.[1] ?? null;
}

function placeOf(
  files: HostFiles,
  { controller, path }: { readonly controller: Controller; readonly path: string },
  mounts: readonly GroupMount[] | null,
): { readonly place: string; readonly isContainer: boolean } | null {
  if (mounts === null) {
    const base = controller === 'unified' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`;
    const place = joined(base, path);
    return { place: controller === 'unified' || files.has(place) ? place : base, isContainer: path === '/' };
  }
  for (const { controllers, root, mountpoint } of mounts) {
    if (controller === 'unified' ? controllers !== null : controllers?.includes(controller) !== true)
      continue;
    const within = below(root, path);
    // A namespace of its own shows as `/`, a part that is mounted as its root.
    if (within !== null)
      return { place: joined(mountpoint, within), isContainer: path === '/' || root !== '/' };
  }
  return null;
}

/** `path` as seen from `root`; null where it lies elsewhere. */
function below(root: string, path: string): string | null {
  if (path.startsWith('/..')) return null;
  if (root === '/') return path;
  if (path === root) return '/';
  return path.startsWith(`${root}/`) ? path.slice(root.length) : null;
}

function joined(base: string, path: string): string {
  return path === '/' ? base : `${base}${path}`;
}

/** Lines of /proc/PID/mountinfo: id, parent, major:minor, root, mount point, options, … `-` type, device, options. */
function groupMounts(text: string): GroupMount[] {
  return text.split('\n').flatMap((line): GroupMount[] => {
    const [before = '', after = ''] = line.split(' - ', 2);
    const [, , , root = '/', mountpoint = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') return [{ controllers: null, root, mountpoint }];
    return type === 'cgroup' ? [{ controllers: options.split(','), root, mountpoint }] : [];
  });
}
