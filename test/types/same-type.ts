/** Says in the type tests which type a value has, exactly: neither wider nor narrower. */

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `is<Buffer>()(data)` compiles where `data` is a Buffer, and nothing else. */
export declare function is<Expected>(): <Actual>(
  value: Same<Actual, Expected> extends true ? Actual : never,
) => Actual
