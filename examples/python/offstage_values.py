"""Temp storage and the tokens of attempts, for an executor."""

import asyncio
import json
import time
import uuid

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from offstage.executor.v1 import executor_service_pb2 as wire
from offstage.executor.v1 import executor_service_pb2_grpc
from offstage.jobs.v1 import job_pb2
from offstage.storage.v1 import storage_service_pb2 as storage_wire
from offstage.storage.v1 import storage_service_pb2_grpc

INLINE_BYTES_MAX = 64 * 1024
CHUNK_BYTES = 256 * 1024
JSON_TYPE = "application/json"
CALL_SECONDS = 60


class Failure(Exception):
    """Fails an attempt, with what its caller is told. Raise it in a handler, or any other exception."""

    def __init__(self, brief: str, *, reason: str = "Failure", retryable: bool = True):
        super().__init__(brief)
        self.reason, self.retryable = reason, retryable


def reason_of(error: grpc.RpcError) -> str:
    """The reason of a refusal, which is what programs branch on; empty where none came."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


class AttemptToken:
    """By what the calls of an attempt say for whom they act."""

    def __init__(self, channel, own_token: str, owner: str, request: wire.IssueAttemptTokenRequest):
        self._channel, self._own, self._owner, self._request = channel, own_token, owner, request
        self._token, self._ask_again_at = None, 0.0

    async def metadata(self, *, anew: bool = False) -> list[tuple[str, str]]:
        if not self._own:
            return [("offstage-user", self._owner)]
        if anew or self._token is None or time.monotonic() >= self._ask_again_at:
            await self._ask()
        if not self._token:  # The scheduler runs in development mode.
            return [("offstage-user", self._owner)]
        return [("authorization", f"Bearer {self._token}")]

    async def allowed(self, call):
        """Calls with it, and once more with another one where that is refused."""
        try:
            return await call(await self.metadata())
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAUTHENTICATED:
                raise
            return await call(await self.metadata(anew=True))

    async def _ask(self) -> None:
        stub = executor_service_pb2_grpc.ExecutorServiceStub(self._channel())
        own = [("authorization", f"Bearer {self._own}")]
        answer = await stub.IssueAttemptToken(
            self._request, metadata=own, timeout=CALL_SECONDS, wait_for_ready=True
        )
        self._token = answer.token
        # By the scheduler's clock: one that seems to have expired is used until it is refused.
        life = answer.expire_time.seconds - time.time()
        self._ask_again_at = time.monotonic() + life * 0.8 if life > 0 else float("inf")


class Storage:
    """What an executor does in temp storage for an attempt."""

    def __init__(self, channel: grpc.aio.Channel, token: AttemptToken):
        self._stub = storage_service_pb2_grpc.StorageServiceStub(channel)
        self._token = token

    async def read(self, address: str) -> bytes:
        async def call(metadata):
            request = storage_wire.GetValueRequest(address=address)
            return b"".join(
                [part.chunk async for part in self._stub.GetValue(request, metadata=metadata)]
            )

        return await self._token.allowed(call)

    async def put(self, value: bytes, namespace: str, address: str) -> job_pb2.Payload:
        """Where the caller wants it, else as the own of the job. The request id makes a repeat safe."""
        header = storage_wire.PutValueHeader(
            namespace=namespace, address=address, for_job=not address, content_type=JSON_TYPE,
            size=len(value), request_id=str(uuid.uuid4()),
        )  # fmt: skip

        async def call(metadata):
            def parts():
                yield storage_wire.PutValueRequest(header=header)
                for start in range(0, len(value), CHUNK_BYTES):
                    yield storage_wire.PutValueRequest(chunk=value[start : start + CHUNK_BYTES])

            return await self._stub.PutValue(parts(), metadata=metadata, timeout=CALL_SECONDS)

        stored = (await self._token.allowed(call)).value
        return job_pb2.Payload(
            address=stored.address, sha256=stored.sha256, content_type=JSON_TYPE
        )

    async def look(self, scope: str, addresses: list[str]) -> None:
        """Whether results have a place to go. A storage that cannot be asked holds nobody up."""

        async def ask(method, request: Message):
            try:
                await self._token.allowed(lambda metadata: method(request, metadata=metadata, timeout=5))
            except grpc.RpcError as error:
                transient = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                if error.code() not in transient:
                    brief = f"The result has no place to go: {error.details()}"
                    raise Failure(brief, reason=reason_of(error), retryable=False) from error

        requests = [
            (self._stub.DescribeValue, storage_wire.DescribeValueRequest(address=address))
            for address in addresses
        ]
        if scope:
            requests.append(
                (self._stub.KeepScopeAlive, storage_wire.KeepScopeAliveRequest(scope=scope))
            )
        await asyncio.gather(*(ask(*request) for request in requests))


def json_of(payload: bytes) -> object:
    try:
        return json.loads(payload) if payload else {}
    except ValueError as error:
        brief = f"The parameters are not the JSON they are said to be: {error}"
        raise Failure(brief, reason="PARAMS_INVALID", retryable=False) from error
