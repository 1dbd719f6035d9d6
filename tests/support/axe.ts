/** What axe-core finds wrong with a page, for people who do not see it well or use no mouse. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { z } from 'zod';

const resultsSchema = z.object({
  violations: z.array(
    z.object({
      id: z.string(),
      nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })),
    }),
  ),
});

/** By its default rules: the rule, the element, and what to do. */
export async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const found = resultsSchema.parse(
    await page.evaluate('axe.run(document, { resultTypes: ["violations"] })'),
  );
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}
