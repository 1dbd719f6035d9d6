import { type Environment, ProxySettingError, proxyFor } from '../proxy/proxy-settings.ts';
import type { ConfiguredWay } from './configured-ways.ts';

/** A sentence for each variable that names a proxy that cannot be. */
export function proxyProblems(ways: readonly ConfiguredWay[], environment: Environment): readonly string[] {
  const problems = ways.flatMap(({ address }) => {
    try {
      proxyFor(address, environment);
      return [];
    } catch (error) {
      if (!(error instanceof ProxySettingError)) throw error;
      return [error.message];
    }
  });
  return [...new Set(problems)];
}
