"""The child jobs of an attempt."""

import asyncio
import json
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from offstage.jobs.v1 import job_pb2, job_service_pb2 as wire, job_service_pb2_grpc
from offstage_values import CALL_SECONDS, JSON_TYPE, AttemptToken, Failure, Storage

WAIT_SECONDS = 15
PAUSE_SECONDS = 1.0
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Children:
    def __init__(
        self, channel: grpc.aio.Channel, token: AttemptToken, storage: Storage, parent_job_id: str,
        namespace: str,
    ):  # fmt: skip
        self._stub = job_service_pb2_grpc.JobServiceStub(channel)
        self._token, self._storage = token, storage
        self._parent_job_id, self._namespace = parent_job_id, namespace

    async def start(self, method: str, params: object) -> str:
        """The request id makes a repeat safe."""
        job = job_pb2.JobSpec(
            method=method, parent_job_id=self._parent_job_id, request_id=str(uuid.uuid4()),
            params=job_pb2.Payload(inline=json.dumps(params).encode(), content_type=JSON_TYPE),
        )  # fmt: skip
        request = wire.StartJobRequest(namespace=self._namespace, job=job)
        return (await self._call(self._stub.StartJob, request)).job.job_id

    async def result(self, job_id: str) -> object:
        """That of a job, once it has ended."""
        request = wire.WaitJobsRequest(
            namespace=self._namespace, job_ids=[job_id], timeout=Duration(seconds=WAIT_SECONDS)
        )
        while True:
            status = (await self._call(self._stub.WaitJobs, request)).statuses[0]
            if status.HasField("completion"):
                return await self._value(status.completion)

    async def _value(self, completion: job_pb2.Completion) -> object:
        if completion.state != job_pb2.JOB_STATE_SUCCEEDED:
            error = completion.error
            brief = error.brief or "A child job was canceled."
            raise Failure(brief, reason=error.reason or "CHILD_CANCELED", retryable=error.retryable)
        result = completion.result
        source = result.WhichOneof("source")
        if source is None:
            return None
        return json.loads(
            await self._storage.read(result.address) if source == "address" else result.inline
        )

    async def _call(self, method, request):
        """Again while the scheduler is away."""
        seconds = WAIT_SECONDS + CALL_SECONDS
        while True:
            try:
                return await self._token.allowed(
                    lambda metadata: method(request, metadata=metadata, timeout=seconds)
                )
            except grpc.RpcError as error:
                if error.code() not in AWAY:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
