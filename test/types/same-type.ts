/** Says in the type tests which type a value has, exactly: neither wider nor narrower, nor any. */

type IsAny<A> = 0 extends 1 & A ? true : false
type Same<A, B> =
  IsAny<A> extends true ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false

/** `is<Buffer>()(data)` compiles where `data` is a Buffer, and nothing else. */
export declare function is<Expected>(): <Actual>(
  value: Same<Actual, Expected> extends true ? Actual : never,
) => Actual
