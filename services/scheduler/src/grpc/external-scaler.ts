/** What KEDA asks to scale executors; its own words are in proto/keda. */
import type { Actor } from '@offstage/kit/auth'
import { type GuardedService, serverStream, unary } from '@offstage/kit/grpc'
import type * as keda from '@offstage/proto/scaling'
import type { Scaling } from '../load/scaling.ts'
import { invalidField } from '../refusals.ts'
import { type ScaleTerms, scaleTermsFrom } from './scale-terms.ts'

const JOBS = 'jobs'
const OLDEST = 'oldest_seconds'

export function externalScaler(scaling: Scaling): GuardedService<keda.ExternalScalerServer> {
  const valuesOf = async ({ scaledObjectRef }: keda.GetMetricsRequest, actor: Actor) => {
    const { jobs, oldestMs } = await scaling.demand(termsOf(scaledObjectRef, actor))
    return { [JOBS]: jobs, [OLDEST]: oldestMs / 1_000 } as Readonly<Record<string, number>>
  }
  return {
    isActive: unary('scaling.read', async (ref: keda.ScaledObjectRef, { actor }) => {
      const { active } = await scaling.demand(termsOf(ref, actor))
      return { result: active }
    }),

    streamIsActive: serverStream(
      'scaling.read',
      async function* (ref: keda.ScaledObjectRef, { actor, signal }) {
        const terms = termsOf(ref, actor)
        for await (const result of scaling.watch(terms, signal)) yield { result }
      },
    ),

    getMetricSpec: unary('scaling.read', (ref: keda.ScaledObjectRef, { actor }) =>
      specOf(termsOf(ref, actor)),
    ),

    getMetrics: unary('scaling.read', async (request: keda.GetMetricsRequest, { actor }) => {
      const { metricName } = request
      const value = (await valuesOf(request, actor))[metricName]
      if (value === undefined) throw invalidField('metricName', `must be ${JOBS} or ${OLDEST}`)
      const rounded = BigInt(Math.round(value))
      return { metricValues: [{ metricName, metricValue: rounded, metricValueFloat: value }] }
    }),

    // What a scaled object asks for changes with the object alone, whose stream KEDA then opens anew.
    streamMetricSpec: serverStream(
      'scaling.read',
      async function* (ref: keda.ScaledObjectRef, { actor, signal }) {
        yield specOf(termsOf(ref, actor))
        if (!signal.aborted)
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      },
    ),
  }
}

function termsOf(ref: keda.ScaledObjectRef | undefined, actor: Actor): ScaleTerms {
  return scaleTermsFrom(ref?.scalerMetadata ?? {}, actor)
}

function specOf({ target, oldestSeconds }: ScaleTerms): keda.GetMetricSpecResponse {
  const spec = (metricName: string, size: number | undefined) =>
    size === undefined
      ? []
      : [{ metricName, targetSize: BigInt(Math.ceil(size)), targetSizeFloat: size }]
  return { metricSpecs: [...spec(JOBS, target), ...spec(OLDEST, oldestSeconds)] }
}
