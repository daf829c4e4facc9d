/** What the parts of the Kea reader share while one configuration is read. */
import type { Fields } from './fields.ts';
import type { Definitions } from './option-definitions.ts';
import type { KeaReport } from './report.ts';

export interface Context {
  readonly report: KeaReport;
  readonly definitions: Definitions;
  /** `Dhcp4` itself. */
  readonly global: Fields;
}
