/** How often each kind of fault was injected in a run. */

export class FaultCounts {
  readonly byKind: Record<string, number> = {};

  note(kind: string, times = 1): void {
    this.byKind[kind] = (this.byKind[kind] ?? 0) + times;
  }

  get total(): number {
    return Object.values(this.byKind).reduce((sum, count) => sum + count, 0);
  }
}
