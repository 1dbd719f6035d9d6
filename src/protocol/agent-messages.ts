/**
 * The messages that an agent sends to HQ: what each carries and how it is answered. Both sides parse with this table.
 */
import { z } from 'zod';
import {
  type CoverageReply,
  type CoverageRequest,
  coverageReplySchema,
  coverageRequestSchema,
  type FrameMeta,
  type FrameReply,
  frameMetaSchema,
  frameReplySchema,
  type Goodbye,
  goodbyeSchema,
  type Heartbeat,
  type HeartbeatReply,
  type Hello,
  type HelloReply,
  heartbeatReplySchema,
  heartbeatSchema,
  helloReplySchema,
  helloSchema,
  linkReportSchema,
  type OkReply,
  okReplySchema,
  type SchemaMessage,
  schemaMessageSchema,
} from './events.ts';

/** `args`: what comes before the ack callback. */
export type AgentMessages = {
  hello: { args: [Hello]; reply: HelloReply };
  coverage: { args: [CoverageRequest]; reply: CoverageReply };
  schema: { args: [SchemaMessage]; reply: OkReply };
  frame: { args: [FrameMeta, Uint8Array]; reply: FrameReply };
  heartbeat: { args: [Heartbeat]; reply: HeartbeatReply };
  goodbye: { args: [Goodbye]; reply: OkReply };
};
export type AgentMessageName = keyof AgentMessages;
type Message<N extends AgentMessageName> = {
  readonly args: z.ZodType<AgentMessages[N]['args']>;
  readonly reply: z.ZodType<AgentMessages[N]['reply']>;
};

/** What an agent says of its link is for people to look at: where it is malformed the rest counts. */
const heardHeartbeatSchema = heartbeatSchema.extend({ link: linkReportSchema.optional().catch(undefined) });

export const agentMessages: { readonly [N in AgentMessageName]: Message<N> } = {
  hello: { args: z.tuple([helloSchema]), reply: helloReplySchema },
  coverage: { args: z.tuple([coverageRequestSchema]), reply: coverageReplySchema },
  schema: { args: z.tuple([schemaMessageSchema]), reply: okReplySchema },
  frame: { args: z.tuple([frameMetaSchema, z.instanceof(Uint8Array)]), reply: frameReplySchema },
  heartbeat: { args: z.tuple([heardHeartbeatSchema]), reply: heartbeatReplySchema },
  goodbye: { args: z.tuple([goodbyeSchema]), reply: okReplySchema },
};

const isName = (event: string): event is AgentMessageName => Object.hasOwn(agentMessages, event);
export const agentMessageNames: readonly AgentMessageName[] = Object.keys(agentMessages).filter(isName);
