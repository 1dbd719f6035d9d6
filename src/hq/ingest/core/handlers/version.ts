/** The version of a hello, which is read before anything else of it: another one may have other fields. */
import { z } from 'zod';
import { type Hello, PROTOCOLS, SCHEMA_VERSION } from '../../../../protocol/events.ts';
import { protocolFor } from '../agreed.ts';
import { type Refused, refuse } from '../refusal.ts';

const version = z.number().int();
const versionsSchema = z.object({
  protocol: version,
  protocols: z.array(version).optional().catch(undefined),
  schema: version.optional().catch(undefined),
});

type Versions = Pick<Hello, 'protocol' | 'protocols'> & { readonly schema?: number | undefined };

/** `unsupported_version`, or null where HQ speaks what the agent does. */
export function refuseVersion(said: Versions): Refused | null {
  const { protocol, schema = SCHEMA_VERSION } = said;
  if (protocolFor(said) !== undefined && schema === SCHEMA_VERSION) return null;
  return refuse(
    'unsupported_version',
    `HQ speaks protocol ${PROTOCOLS.join(' and ')} with schema ${SCHEMA_VERSION}, this agent protocol ${protocol} with schema ${schema}: update the older one`,
    { supported: { protocol: [...PROTOCOLS], schema: [SCHEMA_VERSION] } },
  );
}

/** The same of a hello that is not as HQ knows it. */
export function otherVersion([hello]: readonly unknown[]): Refused | null {
  const parsed = versionsSchema.safeParse(hello);
  return parsed.success ? refuseVersion(parsed.data) : null;
}
