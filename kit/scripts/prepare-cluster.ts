/** Builds the prepared database cluster of this package where it is missing. */
import { existsSync } from 'node:fs'
import { prepareCluster, preparedClusterPath } from '../src/database/prepared-cluster.ts'

if (!existsSync(preparedClusterPath())) await prepareCluster()
