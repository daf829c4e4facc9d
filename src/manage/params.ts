/**
 * The building blocks of parameters. A schema says the type only; ranges that have a place in the documented order of checks are
 * checked by the operations. An explicit null means "not given", except where an operation says otherwise.
 */
import { z } from 'zod';

export const computerName = z.string().nullish().describe('Name or address of this server; anything else is refused.');
export const flag = z.boolean().nullish();
export const text = z.string();
export const optionalText = z.string().nullish();
export const texts = z.array(z.string());
export const uint32 = z.int().min(0).max(0xffffffff);
export const seconds = uint32.describe('A time span in whole seconds.');
export const address = z.string().describe('An IPv4 address.');
export const scopeId = z.string().describe('The network address of a scope.');
export const scopeIds = z.array(z.string()).describe('Network addresses of scopes.');
export const force = flag.describe('Goes ahead without asking.');
export const passThru = flag.describe('Answers the object that was added, changed or removed.');
/** The parameters that every operation has. */
export const common = { ComputerName: computerName };
