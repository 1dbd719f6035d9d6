import { describe, expect, it } from 'vitest';
import { ConfigError, type LoadRequest, loadSettings } from '../settings/load.ts';
import { agentConfigSchema, checkAgentConfig } from './config.ts';

type Given = Partial<Pick<LoadRequest<unknown>, 'flags' | 'environment' | 'file'>>;

function labelsOf(given: Given): unknown {
  const nothing = { flags: new Map(), environment: {}, file: null, foreignEnvironment: new Set<string>() };
  const request = { ...nothing, schema: agentConfigSchema, check: checkAgentConfig, ...given };
  try {
    return loadSettings(request).config.labels;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
const yaml = (text: string): Given => ({ file: { name: 'f.yaml', text } });
const SITE = { site: 'nord', rack: '7' };

describe('the labels of an agent', () => {
  it.each<[string, Given]>([
    ['flags', { flags: new Map([['labels', ['site=nord', 'rack = 7']]]) }],
    ['the environment', { environment: { HOLDFAST_LABELS: 'site=nord;rack=7' } }],
    ['a map in a file', yaml('labels: {site: nord, rack: 7}')],
    ['a list in a file', yaml('labels: [site=nord, rack=7]')],
  ])('come from %s', (_, given) => {
    expect(labelsOf(given)).toEqual(SITE);
  });

  it('may hold a text with an equals sign, and be none', () => {
    expect(labelsOf(yaml('labels: ["a=b=c"]'))).toEqual({ a: 'b=c' });
    expect(labelsOf({})).toEqual({});
  });

  it.each([
    ['labels: [site]', 'expected NAME=VALUE, such as site=nord; got "site"'],
    ['labels: [site=a, site=b]', 'the label "site" is given twice'],
    ['labels: {site: 1.50}', '"site": expected a text, got a number; put it in quotes'],
    ['labels: {site: {a: b}}', '"site": expected a text'],
    ['labels: {1st: x}', '"1st": a label is named by letters'],
    ['labels: {site: ""}', '"site": the value of a label is 1 to 128 characters'],
    ['labels: 5', 'expected NAME=VALUE, such as site=nord, or a map of labels'],
    [`labels: [${Array.from({ length: 33 }, (_, at) => `l${at}=x`)}]`, 'an agent has 32 labels at most'],
  ])('%s', (text, problem) => {
    expect(labelsOf(yaml(text))).toEqual([expect.stringContaining(problem)]);
  });
});
