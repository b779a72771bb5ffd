"""
A client from the proto files alone: starts jobs, waits for them, watches, cancels, and moves large values.

Wait inline first, then watch, with WaitJobs at growing intervals beside it: a stream may be slow to break, and the poll is what is
sure. Repeat a start only with the same request id.
"""

import json
import queue
import threading
import uuid
from collections.abc import Iterator

import cbor2
import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from offstage.jobs.v1 import job_pb2, job_service_pb2 as wire, job_service_pb2_grpc
from offstage.storage.v1 import storage_service_pb2 as storage_wire, storage_service_pb2_grpc

INLINE_BYTES_MAX = 64 * 1024
CHUNK_BYTES = 256 * 1024
CALL_SECONDS = 10
INLINE_WAIT = Duration(nanos=800_000_000)
POLL_SECONDS, POLL_FACTOR, POLL_SECONDS_MAX = 1.0, 1.4, 15.0
JSON_TYPE, CBOR_TYPE = "application/json", "application/cbor"


class Refused(Exception):
    """What a service refused: the reason to branch on, its facts, the fields that are wrong, when to repeat."""

    def __init__(self, error: grpc.RpcError):
        super().__init__(error.details())
        self.code = error.code().name
        self.reason, self.metadata, self.violations, self.retry_seconds = "", {}, {}, None
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                self.reason, self.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(fields):
                self.violations = {v.field: v.description for v in fields.field_violations}
            elif detail.Unpack(retry):
                self.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()


class JobFailed(Exception):
    def __init__(self, completion: job_pb2.Completion):
        error = completion.error
        super().__init__(error.brief or job_pb2.JobState.Name(completion.state))
        self.completion, self.reason = completion, error.reason


class Client:
    def __init__(self, *, scheduler: str, storage: str, namespace: str = "default", user="", token=""):
        self._channels = [grpc.insecure_channel(scheduler), grpc.insecure_channel(storage)]
        self._jobs = job_service_pb2_grpc.JobServiceStub(self._channels[0])
        self._storage = storage_service_pb2_grpc.StorageServiceStub(self._channels[1])
        self._namespace = namespace
        bearer = [("authorization", f"Bearer {token}")] if token else []
        self._metadata = bearer + ([("offstage-user", user)] if user and not token else [])

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    def start(self, method: str, params=None, *, codec=JSON_TYPE, inline_wait=None, **spec):
        """The job as it stands: with its completion where it ended within the inline wait."""
        payload, owned = self._payload(params, codec)
        spec.setdefault("request_id", str(uuid.uuid4()))
        job = job_pb2.JobSpec(method=method, params=payload, params_owned=owned, **spec)
        request = wire.StartJobRequest(namespace=self._namespace, job=job, inline_wait=inline_wait)
        return self._call(self._jobs.StartJob, request).job

    def run(self, method: str, params=None, **options):
        """Starts a job and returns its result."""
        job = self.start(method, params, inline_wait=INLINE_WAIT, **options)
        return self.value(job.completion if job.HasField("completion") else self.wait(job.job_id))

    def wait(self, job_id: str) -> job_pb2.Completion:
        """Watches, with a poll beside it whose pauses grow."""
        heard: queue.Queue = queue.Queue()
        done = threading.Event()

        def watch():
            try:
                for event in self.watch(job_id, until=done):
                    if event.WhichOneof("event") == "completion":
                        heard.put(event.completion)
            except Refused:
                pass  # The poll tells what is wrong, and goes on where nothing is.

        threading.Thread(target=watch, daemon=True).start()
        pause = POLL_SECONDS
        try:
            while True:
                try:
                    return heard.get(timeout=pause)
                except queue.Empty:
                    pause = min(POLL_SECONDS_MAX, pause * POLL_FACTOR)
                completion = self.look(job_id)
                if completion is not None:
                    return completion
        finally:
            done.set()

    def look(self, job_id: str, seconds: float = 0) -> job_pb2.Completion | None:
        """The end of a job, if it comes within that time."""
        timeout = Duration(nanos=int(seconds * 1e9) % 10**9, seconds=int(seconds))
        request = wire.WaitJobsRequest(namespace=self._namespace, job_ids=[job_id], timeout=timeout)
        answer = self._call(self._jobs.WaitJobs, request, seconds + CALL_SECONDS)
        status = answer.statuses[0]
        return status.completion if status.HasField("completion") else None

    def watch(self, job_id: str, until: threading.Event | None = None) -> Iterator[wire.JobEvent]:
        """States, progress and messages as they come; the completion is the last."""
        over = until or threading.Event()

        def requests():
            target = wire.WatchTarget(job_id=job_id)
            yield wire.WatchJobsRequest(namespace=self._namespace, add=[target])
            over.wait()

        stream = self._jobs.WatchJobs(requests(), metadata=self._metadata)
        try:
            for answer in stream:
                for event in answer.events:
                    yield event
                    if event.WhichOneof("event") == "completion":
                        return
                if over.is_set():
                    return
        except grpc.RpcError as error:
            raise Refused(error) from error
        finally:
            over.set()
            stream.cancel()

    def cancel(self, job_id: str, reason: str = "") -> None:
        """Asks for it; `wait` tells when it has ended, and the completion how (`cancel_outcome`)."""
        request = wire.CancelJobRequest(namespace=self._namespace, job_id=job_id, reason=reason)
        self._call(self._jobs.CancelJob, request)

    def value(self, completion: job_pb2.Completion):
        """The result, read from temp storage where it is large."""
        if completion.state != job_pb2.JOB_STATE_SUCCEEDED:
            raise JobFailed(completion)
        source = completion.result.WhichOneof("source")
        if source is None:
            return None
        result = completion.result
        data = result.inline if source == "inline" else self._read(result.address, result.sha256)
        kind = result.content_type or JSON_TYPE
        if kind == CBOR_TYPE:
            return cbor2.loads(data)
        return json.loads(data) if kind == JSON_TYPE else data

    def _payload(self, value, codec: str) -> tuple[job_pb2.Payload, bool]:
        """And whether the job is to own it, as what was put for it alone."""
        if value is None:
            return job_pb2.Payload(), False
        data = cbor2.dumps(value) if codec == CBOR_TYPE else json.dumps(value).encode()
        if len(data) <= INLINE_BYTES_MAX:
            return job_pb2.Payload(inline=data, content_type=codec), False
        stored = self._put(data, codec)
        return job_pb2.Payload(address=stored.address, sha256=stored.sha256, content_type=codec), True

    def _put(self, data: bytes, content_type: str) -> storage_wire.Value:
        def parts():
            yield storage_wire.PutValueRequest(
                header=storage_wire.PutValueHeader(
                    namespace=self._namespace, content_type=content_type, size=len(data),
                    for_job=True, request_id=str(uuid.uuid4()),
                )  # fmt: skip
            )
            for start in range(0, len(data), CHUNK_BYTES):
                yield storage_wire.PutValueRequest(chunk=data[start : start + CHUNK_BYTES])

        return self._call(self._storage.PutValue, parts(), 60).value

    def _read(self, address: str, sha256: bytes) -> bytes:
        request = storage_wire.GetValueRequest(address=address, if_sha256=sha256)
        stream = self._call(self._storage.GetValue, request, 60)
        try:
            return b"".join(part.chunk for part in stream)
        except grpc.RpcError as error:
            raise Refused(error) from error

    def _call(self, method, request, seconds: float = CALL_SECONDS):
        """Each with a deadline of its own: without one gRPC waits for ever when a network falls silent."""
        try:
            return method(request, metadata=self._metadata, timeout=seconds)
        except grpc.RpcError as error:
            raise Refused(error) from error
