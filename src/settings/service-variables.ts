/**
 * Variables that nobody set for Holdfast. Kubernetes puts them into every container of a namespace for each Service
 * (enableServiceLinks), `docker run --link` into that of the link. For `holdfast-hq` they are HOLDFAST_HQ_SERVICE_HOST,
 * HOLDFAST_HQ_PORT=tcp://10.43.7.9:8000, HOLDFAST_HQ_PORT_8000_TCP_ADDR and so on. Some have the name of a setting, as
 * HOLDFAST_PORT has; its value shows whose it is.
 */
const ADDRESS = /^(tcp|udp|sctp):\/\//;
const OF_SERVICE = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const PORT_SUFFIX = '_PORT';

type Environment = Readonly<Record<string, string | undefined>>;

/** Names of the variables of `environment` that a Service or a link has brought. */
export function serviceVariables(environment: Environment): ReadonlySet<string> {
  const names = Object.keys(environment);
  const isAddress = (name: string) => name.endsWith(PORT_SUFFIX) && ADDRESS.test(environment[name] ?? '');
  const links = names.filter(isAddress).map((name) => name.slice(0, -PORT_SUFFIX.length));
  const isOfLink = (name: string) =>
    links.some(
      (link) =>
        name.startsWith(`${link}_ENV_`) || (name === `${link}_NAME` && environment[name]?.startsWith('/')),
    );
  return new Set(names.filter((name) => isAddress(name) || OF_SERVICE.test(name) || isOfLink(name)));
}
