/**
 * Every operation there is. The front doors take names, parameters and help from here and know no operation by themselves.
 */
import { backup } from './backup.ts';
import { configHistory, diff, showConfig, undo } from './config.ts';
import { applyConfig } from './config-apply.ts';
import { addExclusion, getExclusion, removeExclusion } from './exclusion.ts';
import { addByHotStandby, addByLoadBalance } from './failover-add.ts';
import { getByName, getByScopeId } from './failover-get.ts';
import { removeFailover } from './failover-remove.ts';
import { addFailoverScope, removeFailoverScope } from './failover-scope.ts';
import { setFailover } from './failover-set.ts';
import { getFreeAddress } from './free-address.ts';
import { importConfiguration } from './import-configuration.ts';
import { importLeases } from './import-leases.ts';
import {
  getBadLeases,
  getLeaseByAddress,
  getLeaseByClient,
  getLeaseByScope,
  removeBadLeases,
  removeLeaseByAddress,
  removeLeaseByClient,
  removeLeaseByScope,
} from './lease.ts';
import type { Operation } from './operation.ts';
import { getOption, removeOption, setCommonOptions, setOptionById } from './option.ts';
import {
  addOptionDefinition,
  getOptionDefinition,
  removeOptionDefinition,
  setOptionDefinition,
} from './option-definition.ts';
import { accept, align, declare, endChange, invite, listChanges, listPartners, removePartner } from './pair.ts';
import { rejoin } from './rejoin.ts';
import { invokeByName, invokeByScopeId } from './replication.ts';
import {
  addReservation,
  getReservationByAddress,
  getReservationByClient,
  getReservationByScope,
  removeReservationByAddress,
  removeReservationByClient,
  removeReservationByScope,
  setReservation,
} from './reservation.ts';
import { rotate } from './rotate.ts';
import { addScope, getScope, removeScope, setScope, setScopeWithRange } from './scope.ts';
import { getServer, getVersion, getWindowsSetting, setServer, setWindowsSetting } from './server-settings.ts';
import { stopServer } from './server-stop.ts';
import { getScopeStatistics, getServerStatistics } from './statistics.ts';
import { failoverStatus, serverStatus } from './status.ts';
import { addSuperscope, getSuperscope, removeSuperscope, renameSuperscope } from './superscope.ts';
import { trustClock } from './trust-clock.ts';
import { why } from './why.ts';

export const OPERATIONS: readonly Operation[] = [
  ...[addByLoadBalance, addByHotStandby, getByName, getByScopeId, setFailover, removeFailover, failoverStatus],
  ...[addFailoverScope, removeFailoverScope, invokeByName, invokeByScopeId],
  ...[addScope, getScope, setScope, setScopeWithRange, removeScope, getScopeStatistics],
  ...[addExclusion, getExclusion, removeExclusion],
  ...[addReservation, getReservationByScope, getReservationByAddress, getReservationByClient, setReservation],
  ...[removeReservationByScope, removeReservationByAddress, removeReservationByClient],
  ...[getOption, setOptionById, setCommonOptions, removeOption],
  ...[addOptionDefinition, getOptionDefinition, setOptionDefinition, removeOptionDefinition],
  ...[getLeaseByScope, getLeaseByAddress, getLeaseByClient, getBadLeases],
  ...[removeLeaseByScope, removeLeaseByAddress, removeLeaseByClient, removeBadLeases],
  ...[importConfiguration, importLeases],
  ...[addSuperscope, getSuperscope, renameSuperscope, removeSuperscope, getFreeAddress],
  ...[showConfig, configHistory, diff, applyConfig, undo],
  ...[
    invite,
    accept,
    declare,
    listPartners,
    removePartner,
    rejoin,
    rotate,
    align,
    listChanges,
    endChange,
    backup,
    trustClock,
  ],
  ...[getServer, setServer, serverStatus, getServerStatistics, getVersion, getWindowsSetting, setWindowsSetting, why],
  ...[stopServer],
];

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

export function operationByName(name: string): Operation | undefined {
  return BY_NAME.get(name);
}
