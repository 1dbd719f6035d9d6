/** `GET` and `POST /api/v1/backups`. */
import { z } from 'zod';
import { BACKUP_NAME, type BackupRefusal, backupSchema } from '../../backup/backups.ts';
import { UNFINISHED } from '../../backup/files.ts';
import { Problem } from '../../http/problem.ts';
import { byKey, page, pageOf } from '../paging.ts';
import { pageSchema } from '../parameters.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const requestSchema = z
  .object({
    name: z
      .string()
      .regex(BACKUP_NAME, 'must be letters, digits, dots, underscores and hyphens, 100 at most')
      .refine((name) => !name.endsWith(UNFINISHED), `must not end with ${UNFINISHED}`),
  })
  .meta({ id: 'BackupRequest' });

const PROBLEMS = {
  disabled: () =>
    new Problem('backups_disabled', 'this HQ has no folder for backups: start it with --backup-dir DIR'),
  running: () => new Problem('backup_running', 'a backup is being made: wait until it is done'),
  exists: (name: string) =>
    new Problem('backup_exists', `there is a backup ${name}: choose another name, such as one with the date`),
} satisfies Readonly<Record<BackupRefusal, (name: string) => Problem>>;

const keyOf = ({ name }: { readonly name: string }) => name;

export function backupRoutes(
  app: GatewayApp,
  { backups, emit }: Pick<RouteContext, 'backups' | 'emit'>,
): void {
  app.get(
    '/api/v1/backups',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listBackups',
        summary: 'Backups of HQ',
        description:
          'Those in the folder that `backup.dir` names, the one that runs, and the last that failed.',
        tags: ['backups'],
        querystring: pageSchema,
        response: { 200: pageOf(backupSchema), ...problemResponses(400, 401, 403, 409, 429) },
      },
    },
    async (request) => {
      const all = backups.list();
      if (all === null) throw PROBLEMS.disabled();
      return page(byKey(all, keyOf), keyOf, request.query);
    },
  );

  app.post(
    '/api/v1/backups',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'createBackup',
        summary: 'Begin a backup of HQ',
        description:
          'HQ goes on meanwhile. The list says when it is made; until then nothing has its name. One at a time. `holdfast backup verify` and `restore` take the folder.',
        tags: ['backups'],
        body: requestSchema,
        response: { 202: backupSchema, ...problemResponses(400, 401, 403, 409, 413, 415, 422, 429) },
      },
    },
    async (request, reply) => {
      const { name } = request.body;
      const begun = backups.start(name);
      if (typeof begun === 'string') throw PROBLEMS[begun](name);
      emit({ type: 'backup_begun', name, address: request.ip });
      return reply.code(202).send(begun);
    },
  );
}
