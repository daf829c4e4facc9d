/** What two servers know of each other, as people read it. */
import { shown } from './table.ts';
import { instantText, isShape, table, type View } from './views.ts';

/** The code, how long it is good, and what to type on the other server. */
export const INVITATION_VIEW: View = (value) => {
  if (!isShape(value)) return [];
  const code = shown(String(value['code']));
  return [
    `Code: ${code}`,
    `It is good for one introduction, until ${instantText(value['expiresAt'])}. On the other server, type:`,
    `  twinlease pair accept ${code} --server NAME-OR-ADDRESS-OF-THIS-SERVER`,
  ];
};

export const PARTNERS_VIEW = table(
  [
    { property: 'name' },
    { property: 'kind' },
    { property: 'host' },
    { property: 'port', isNumber: true },
    { property: 'answers' },
    { property: 'version' },
    { property: 'relationships' },
    { property: 'key' },
  ],
  'No server was introduced to this one. Begin with `twinlease pair invite`.',
);

export const CHANGES_VIEW = table(
  [
    { property: 'id' },
    { property: 'relationship' },
    { property: 'partner' },
    { property: 'side' },
    { property: 'standing' },
    { property: 'startedAt', title: 'started' },
  ],
  'No change is open: everything has ended on both servers.',
);
