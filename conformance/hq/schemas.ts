/** docs/protocol.md, section 3: schemas. */

import { internSchema } from '../../src/protocol/schema-ref.ts';
import { expectThat } from '../report.ts';
import {
  announce,
  deliver,
  exampleSchema,
  expectCoverage,
  expectRefusal,
  frameOf,
  type HqContext,
  isOk,
  randomHex,
} from './context.ts';

const plain = (name: string, more: object = {}) => ({ name, attributes: {}, unit: '', ...more });
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

export async function checkSchemas(context: HqContext): Promise<void> {
  const { check } = context;
  await check(
    'schema.unknown',
    'MUST',
    'HQ refuses a frame of an unknown schema with unknown_schema and names it',
    async () => {
      const { client, epoch } = await context.session();
      const schema = internSchema({ source: randomHex(4), boot: 'b', series: [plain('a'), plain('b')] });
      const frame = frameOf(epoch, 1, 2, schema);
      const { refs = [] } = expectRefusal(
        await client.ask('frame', { lane: 'live' }, frame),
        'unknown_schema',
      );
      expectThat(refs.includes(schema.ref), `refs with ${schema.ref}`, refs);
      await announce(client, schema);
      expectCoverage(await deliver(client, frame), 1, 2);
      client.raw.close();
    },
  );
  await check('schema.again', 'MUST', 'HQ takes a schema again that it has', async () => {
    const { client } = await context.session();
    await announce(client);
    await announce(client);
    client.raw.close();
  });
  await check('schema.ref', 'MUST', 'HQ refuses a schema whose ref is another with bad_request', async () => {
    const { client } = await context.session();
    const { ref: _, ...schema } = exampleSchema;
    expectRefusal(await client.ask('schema', { ref: '0123456789ab', schema }), 'bad_request');
    client.raw.close();
  });
  await check(
    'schema.ref-order',
    'MUST',
    'HQ sorts attributes by key before it hashes a schema',
    async () => {
      const { client } = await context.session();
      const attributes = { b: '1', a: '2', '\u{1f600}': '3', '\uff5e': '4' };
      const schema = { source: 's', boot: 'b', series: [plain('unsorted "é\\', { attributes })] };
      await announce(client, internSchema(schema));
      client.raw.close();
    },
  );
  for (const [id, text, series] of [
    ['twice', 'the same series twice', [plain('a'), plain('a', { unit: 'By' })]],
    ['surrogate', 'half a surrogate pair in a name', [plain('a\ud800')]],
    ['control', 'a control character in a name', [plain('a\u0085b')]],
    ['prototype', 'a series called __proto__', [plain('__proto__')]],
    ['name-length', 'a name of 129 characters', [plain('n'.repeat(129))]],
    ['attributes', '33 attributes of a series', [plain('a', { attributes: many(33) })]],
  ] as const) {
    await check(
      `schema.${id}`,
      'MUST',
      `HQ refuses a schema with ${text} with bad_request, and frames of it`,
      async () => {
        const { client, epoch } = await context.session();
        const schema = internSchema({ source: 's', boot: randomHex(4), series: [...series] });
        const { ref, ...document } = schema;
        expectRefusal(await client.ask('schema', { ref, schema: document }), 'bad_request');
        const reply = await client.ask('frame', { lane: 'live' }, frameOf(epoch, 1, 2, schema));
        expectRefusal(reply, 'bad_frame', 'unknown_schema');
        client.raw.close();
      },
    );
  }
  await check(
    'schema.keys',
    'MUST',
    'HQ tells series apart whose keys would look alike unescaped',
    async () => {
      const { client } = await context.session();
      const series = [
        plain('col', { attributes: { a: '1,b=2' } }),
        plain('col', { attributes: { a: '1', b: '2' } }),
        plain('col{a=1,b=2}'),
      ];
      const { ref, ...schema } = internSchema({ source: 's', boot: 'b', series });
      const reply = await client.ask('schema', { ref, schema });
      expectThat(isOk(reply), 'three series of one schema', reply);
      client.raw.close();
    },
  );
}
