/**
 * zod compiles parsers at run time where it may; HQ's content security policy forbids that, and the browser would
 * report the attempt. Imported before anything that makes a schema.
 */
import { config } from 'zod';

config({ jitless: true });
