/** Columns of the tables that commands show; `--json` has every property. */
import { durationText } from './spelling.ts';
import { shown } from './table.ts';
import { cellText, type Field, instantText, isShape, type Shape, shapeLines, table, type View } from './views.ts';

const scopeId: Field = { property: 'scopeId', title: 'scope' };
const address: Field = { property: 'ipAddress', title: 'address' };
const name: Field = { property: 'name' };

export const SCOPE_VIEW = table(
  [
    scopeId,
    { property: 'subnetMask', title: 'mask' },
    name,
    { property: 'state' },
    {
      property: 'startRange',
      title: 'range',
      show: (start, row) => `${cellText(start, '')} - ${cellText(row['endRange'], '')}`,
    },
    {
      property: 'leaseDuration',
      title: 'lease time',
      show: (value) => (typeof value === 'number' ? durationText(value) : ''),
    },
    { property: 'superscopeName', title: 'superscope' },
  ],
  'There is no scope. Add one with `twinlease scope add`.',
);

export const RESERVATION_VIEW = table(
  [
    address,
    { property: 'clientId', title: 'client' },
    name,
    scopeId,
    { property: 'type' },
    { property: 'addressState', title: 'state' },
    { property: 'description' },
  ],
  'There is no reservation.',
);

export const OPTION_VIEW = table(
  [
    { property: 'optionId', title: 'id', isNumber: true },
    name,
    { property: 'type' },
    { property: 'vendorClass', title: 'vendor class' },
    { property: 'userClass', title: 'user class' },
    { property: 'value' },
  ],
  'There is no option here.',
);

export const LEASE_VIEW = table(
  [
    address,
    { property: 'clientId', title: 'client' },
    { property: 'addressState', title: 'state' },
    {
      property: 'leaseExpiryTime',
      title: 'ends',
      show: (value, row) => (value === null && row['addressState'] === 'Active' ? 'never' : instantText(value)),
    },
    { property: 'serverIP', title: 'server' },
    { property: 'hostName', title: 'host' },
  ],
  'There is no lease.',
);

export const SCOPE_STATISTICS_VIEW = table(
  [
    scopeId,
    { property: 'addressesFree', title: 'free', isNumber: true },
    { property: 'addressesInUse', title: 'in use', isNumber: true },
    { property: 'percentageInUse', title: '%', isNumber: true },
    { property: 'pendingOffers', title: 'offered', isNumber: true },
    { property: 'reservedAddress', title: 'reserved', isNumber: true },
    { property: 'addressesFreeOnThisServer', title: 'free here', isNumber: true },
    { property: 'addressesFreeOnPartnerServer', title: 'free at partner', isNumber: true },
    { property: 'addressesInUseOnThisServer', title: 'in use here', isNumber: true },
    { property: 'addressesInUseOnPartnerServer', title: 'in use at partner', isNumber: true },
  ],
  'There is no scope.',
);

const RELATIONSHIPS = table(
  [
    name,
    { property: 'state' },
    { property: 'partnerState', title: 'partner' },
    { property: 'isCommunicating', title: 'communicating' },
  ],
  'No failover relationship.',
);

/** The server, its relationships, and what is not as it should be. */
export const SERVER_VIEW: View = (value, context) => {
  if (!isShape(value)) return [];
  const { relationships, problems, ...server } = value;
  const open = (Array.isArray(problems) ? problems : []).filter(isShape);
  return [
    ...shapeLines(server),
    '',
    ...RELATIONSHIPS(relationships, context),
    '',
    ...(open.length === 0
      ? ['No problems.']
      : open.map((one) =>
          shown(
            `${instantText(one['at'])}  ${cellText(one['text'], '')} (${cellText(one['code'], '')}${howOften(one)})`,
          ),
        )),
  ];
};

function howOften(problem: Shape): string {
  const { count, firstAt } = problem;
  return typeof count === 'number' && count > 1 ? `; ${count} times since ${instantText(firstAt)}` : '';
}
