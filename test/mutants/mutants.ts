/** Every mutant: of the library, and of what stands around it in the simulator. */
import { contextMutants } from './context-mutants.js'
import { faultMutants } from './fault-mutants.js'
import { hostMutants } from './host-mutants.js'
import type { Mutant } from './mutant.js'
import { receivingMutants } from './receiving-mutants.js'
import { sendingMutants } from './sending-mutants.js'
import { serviceMutants } from './service-mutants.js'

export const mutants: readonly Mutant[] = [
  ...contextMutants,
  ...serviceMutants,
  ...receivingMutants,
  ...sendingMutants,
  ...faultMutants,
  ...hostMutants,
]
