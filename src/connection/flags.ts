/**
 * Yes-or-no fields as the bits of one number: a connection has more than a dozen of them, and each
 * would take the 8 bytes of a pointer.
 */

/**
 * Makes each name of a class an accessor of its bit. The class declares them, and nothing more.
 * @param names at most 31
 */
export function packFlags<Name extends string>(
  prototype: Record<Name, boolean> & { flags: number },
  names: readonly Name[],
): void {
  names.forEach((name, index) => {
    const bit = 1 << index
    Object.defineProperty(prototype, name, {
      get(this: { flags: number }): boolean {
        return (this.flags & bit) !== 0
      },
      set(this: { flags: number }, value: boolean) {
        this.flags = value ? this.flags | bit : this.flags & ~bit
      },
    })
  })
}
