/** Builds the prepared database cluster of this package where it is missing. */
import { existsSync } from 'node:fs'
import { PREPARED_CLUSTER, prepareCluster } from '../src/database/prepared-cluster.ts'

if (!existsSync(PREPARED_CLUSTER)) await prepareCluster()
