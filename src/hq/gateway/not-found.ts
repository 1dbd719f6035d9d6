/**
 * Answers to paths and methods that do not exist: a person is led to the dashboard, a program gets 405 or 404 as a
 * problem.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { Problem } from '../http/problem.ts';
import { sendProblem } from './error-handler.ts';

type KnownPath = { readonly pattern: RegExp; readonly methods: Set<string> };

/**
 * Call before routes are added; they are collected as they come. What it returns belongs behind all other hooks of
 * `onRequest`: it answers before a body is read, as the answer does not depend on it.
 */
export function registerNotFound(app: FastifyInstance): onRequestHookHandler {
  const paths = new Map<string, KnownPath>();
  app.addHook('onRoute', ({ url, method }) => {
    // What serves files takes every path.
    if (url.includes('*') && !url.startsWith('/api/')) return;
    const known = paths.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const one of [method].flat()) known.methods.add(one);
    paths.set(url, known);
  });
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const known = [...paths.values()].find(({ pattern }) => pattern.test(path));
    if (known !== undefined && !known.methods.has(request.method)) {
      const allow = [...known.methods].sort().join(', ');
      const detail = `${request.method} is not possible here; ${allow} ${known.methods.size === 1 ? 'is' : 'are'}`;
      return sendProblem(new Problem('method_not_allowed', detail, { headers: { allow } }), request, reply);
    }
    // The app keeps its place in the hash: a request for another page is sent to the one there is.
    if (wantsPage(request)) return reply.redirect('/');
    return sendProblem(new Problem('not_found', `there is nothing at ${path}`), request, reply);
  };
  app.setNotFoundHandler(answer);
  return (request, reply, next) => {
    if (request.is404) answer(request, reply);
    else next();
  };
}

function patternOf(url: string): RegExp {
  const parts = url
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.+' : part.replace(/[.+]/g, '\\$&')));
  return new RegExp(`^${parts.join('/')}$`);
}

function wantsPage({ method, headers, url }: FastifyRequest): boolean {
  const isOurs = !/^\/(api|assets|socket\.io)(\/|$)/.test(url);
  return method === 'GET' && isOurs && (headers.accept ?? '').includes('text/html');
}
