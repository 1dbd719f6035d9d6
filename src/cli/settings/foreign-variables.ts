import { ENV_PREFIX, type Leaf, leavesOf } from '../../settings/leaves.ts';

/**
 * Variables that another component or the command itself knows: alongside a component whose settings are `own` they are
 * no mistake. The others' schemas take memory that an agent would hold for all its life, so they are read only when
 * `environment` has a variable that is not `own`.
 */
export async function foreignVariables(
  environment: Readonly<Record<string, string | undefined>>,
  own: readonly Leaf[],
): Promise<ReadonlySet<string>> {
  const fallbacks = own.flatMap(({ fallback }) => (fallback === null ? [] : [fallback.variable]));
  const known = new Set(['HOLDFAST_CONFIG', ...own.map(({ env }) => env), ...fallbacks]);
  if (Object.keys(environment).every((name) => !name.startsWith(ENV_PREFIX) || known.has(name))) return known;
  const [{ agentConfigSchema }, { hqConfigSchema }, { demoConfigSchema }] = await Promise.all([
    import('../../agent/config.ts'),
    import('../../hq/config.ts'),
    import('./demo-config.ts'),
  ]);
  for (const schema of [agentConfigSchema, hqConfigSchema, demoConfigSchema]) {
    for (const { env } of leavesOf(schema)) known.add(env);
  }
  return known;
}
