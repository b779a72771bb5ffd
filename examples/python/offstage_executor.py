"""
An executor, by docs/executor-protocol.md alone. Handlers are coroutines, `async def run(job, params)`; they are told to stop by a
CancelledError.

One session attaches by one stream at a time, opened again whenever it breaks. What it holds outlives the streams: `_running` until
handlers have returned, `_results` until they are acknowledged.
"""

import asyncio
import os
import random
import signal
import socket
import uuid
from collections.abc import Iterable

import grpc
from offstage.executor.v1 import executor_service_pb2 as wire
from offstage.executor.v1 import executor_service_pb2_grpc
from offstage.jobs.v1 import job_pb2
from offstage_attempt import OWN_GRACE_SECONDS, Attempt, HandlerThread, Method, Stop
from offstage_children import Children
from offstage_values import AttemptToken, Storage

LANE = job_pb2.LANE_INLINE
FRAME_BYTES_MAX = 1024 * 1024
MESSAGES_KEPT_MAX = 1_000
PAUSE_SECONDS, PAUSE_FACTOR, PAUSE_SECONDS_MAX = 0.1, 1.8, 5.0
LAST_WORD_SECONDS = 2.0
CHANNEL_OPTIONS = [
    # A connection of its own for each stream, without the pauses that others have earned.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # A scheduler that froze takes heartbeats without a word.
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.max_pings_without_data", 0),
]


class Reports:
    """What an attempt has to say: all messages, but the newest progress and data alone."""

    def __init__(self, other: "Reports | None" = None):
        self.messages = list(other.messages) if other else []
        self.newest = dict(other.newest) if other else {}

    def add(self, report) -> None:
        if isinstance(report, wire.MessageReport):
            self.messages = [*self.messages[1 - MESSAGES_KEPT_MAX :], report]
        else:
            kind = "progress" if report.HasField("progress") else "heartbeat_data"
            if report.HasField(kind) or kind not in self.newest:
                self.newest[kind] = report


class Unsent:
    """What is to be said on the present stream, of each attempt its reports before its result."""

    def __init__(self):
        self.reports: dict[tuple, Reports] = {}
        self.results: dict[tuple, wire.AttemptResult] = {}
        self.waiting: dict[tuple, wire.WaitingReport] = {}
        self.handed_back: list[dict] = []

    @property
    def is_empty(self) -> bool:
        return not (self.reports or self.results or self.waiting or self.handed_back)

    def of(self, key: tuple) -> Reports:
        return self.reports.setdefault(key, Reports())

    def forget(self, key: tuple) -> None:
        self.reports.pop(key, None)
        self.results.pop(key, None)
        self.waiting.pop(key, None)

    def fill(self, frame: wire.AttachRequest) -> bool:
        """As much as fits; whether there is more."""
        for ref in self.handed_back:
            frame.handed_back.add(**ref)
        self.handed_back = []
        frame.waiting.extend(self.waiting.values())
        self.waiting = {}
        while self.reports and frame.ByteSize() < FRAME_BYTES_MAX:
            reports = self.reports.pop(next(iter(self.reports)))
            frame.progress.extend(reports.newest.values())
            frame.messages.extend(reports.messages)
        while self.results and not self.reports and frame.ByteSize() < FRAME_BYTES_MAX:
            frame.results.append(self.results.pop(next(iter(self.results))))
        return bool(self.reports or self.results)


def key_of(ref) -> tuple:
    return (ref.job_id, ref.attempt)


def ref_of(ref) -> dict:
    return {"job_id": ref.job_id, "attempt": ref.attempt}


class Executor:
    def __init__(
        self, methods: Iterable[Method], *, scheduler: str, storage: str, namespace: str = "default",
        token: str = "", slots: int = 100, drain_grace: float = 20.0,
        tls: grpc.ChannelCredentials | None = None,
    ):  # fmt: skip
        self.methods = {method.name: method for method in methods}
        self._scheduler, self._storage, self._namespace = scheduler, storage, namespace
        self._token, self._slots, self._drain_grace = token, slots, drain_grace
        self._tls = tls  # None: plain text.
        self._session_id, self._lost_session_id = str(uuid.uuid4()), ""
        self._lease, self._expiry = 15.0, None
        self._running: dict[tuple, Attempt] = {}
        self._results: dict[tuple, wire.AttemptResult] = {}
        self._said: dict[tuple, Reports] = {}  # What is said again on a new stream.
        self._unsent = Unsent()
        self._credits = 0  # Given and not used up.
        self._draining = self._left = False
        self._failures = 0

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; then it drains."""
        self._wake, self._thread, self._channels = asyncio.Event(), HandlerThread(), {}
        loop, leaving = asyncio.get_running_loop(), []
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, lambda: leaving.append(loop.create_task(self._drain())))
        while not self._left:
            try:
                await self._attached()
            except (grpc.RpcError, asyncio.InvalidStateError, TimeoutError) as error:
                print(f"no stream to the scheduler: {error!r}", flush=True)
            pause = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS * PAUSE_FACTOR**self._failures)
            self._failures += 1
            if not self._left:
                await asyncio.sleep(pause * random.uniform(0.5, 1))
        for channel in self._channels.values():
            await channel.close()

    # What Attempt needs of its executor.

    def report(self, attempt: Attempt, report) -> None:
        said = self._said.setdefault(attempt.key, Reports())
        for reports in (said, self._unsent.of(attempt.key)):
            reports.add(report)
        self._wake.set()

    def end(self, attempt: Attempt, result: wire.AttemptResult | None, *, handed_back: bool) -> None:
        if result is not None:
            self._results[attempt.key] = result
            self._unsent.results[attempt.key] = result
        else:
            self._forget(attempt.key)
            if handed_back:
                self._unsent.handed_back.append(attempt.ref)
        self._wake.set()

    def park(self, attempt: Attempt) -> None:
        report = wire.WaitingReport(**attempt.ref, waiting=attempt.is_parked)
        self._unsent.waiting[attempt.key] = report
        self._wake.set()

    def free(self, attempt: Attempt) -> None:
        if self._running.get(attempt.key) is attempt:
            del self._running[attempt.key]
        self._wake.set()

    # The session.

    async def _attached(self) -> None:
        """One stream, until it ends."""
        async with self._dial(self._scheduler) as channel:
            stub = executor_service_pb2_grpc.ExecutorServiceStub(channel)
            metadata = [("authorization", f"Bearer {self._token}")] if self._token else []
            call = stub.Attach(metadata=metadata)
            await call.write(self._hello())
            frame = await asyncio.wait_for(call.read(), 10)
            if frame is grpc.aio.EOF:
                return
            self._welcome(frame.welcome)
            speaking = asyncio.create_task(self._speak(call))
            try:
                while frame is not grpc.aio.EOF:
                    self._hear(frame)
                    if frame.drain:  # This replica is going away.
                        await call.done_writing()
                        return
                    frame = await call.read()
            finally:
                speaking.cancel()

    def _hello(self) -> wire.AttachRequest:
        """Brings the results along, so that none comes after the scheduler has looked for what got lost."""
        running = [attempt for attempt in self._running.values() if not attempt.is_over]
        held = {attempt.key: attempt.ref for attempt in running}
        held |= {key: ref_of(result) for key, result in self._results.items()}
        methods = [
            wire.MethodDefinition(
                name=method.name, description=method.description, params_schema=method.schema_text
            )
            for method in self.methods.values()
        ]
        hello = wire.Hello(
            session_id=self._session_id, lost_session_id=self._lost_session_id,
            namespace=self._namespace, name=f"{socket.gethostname()} {os.getpid()}",
            software="offstage-python-example", methods=methods,
            lanes=[wire.LaneSlots(lane=LANE, slots=self._slots)],
            running=[wire.AttemptRef(**ref) for ref in held.values()],
        )  # fmt: skip
        self._unsent = Unsent()
        self._unsent.results.update(self._results)
        for key, reports in self._said.items():
            self._unsent.reports[key] = Reports(reports)
        for attempt in running:
            if attempt.is_parked:
                report = wire.WaitingReport(**attempt.ref, waiting=True)
                self._unsent.waiting[attempt.key] = report
        frame = wire.AttachRequest(hello=hello, draining=self._draining)
        self._unsent.fill(frame)
        return frame

    def _welcome(self, welcome: wire.Welcome) -> None:
        self._lease = welcome.lease.ToTimedelta().total_seconds()
        self._lost_session_id, self._credits, self._failures = "", 0, 0
        self._renew()
        self._wake.set()
        print(f"attached to {self._scheduler} as {self._session_id}", flush=True)

    async def _speak(self, call) -> None:
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._lease / 3)
            except TimeoutError:
                pass
            self._wake.clear()
            frame = wire.AttachRequest(draining=self._draining)
            is_more = self._unsent.fill(frame)
            taken = sum(not attempt.is_parked for attempt in self._running.values())
            owed = self._slots - taken - self._credits
            if owed > 0 and not self._draining:
                frame.credits.add(lane=LANE, slots=owed)
                self._credits += owed
            frame.heartbeat = frame.ByteSize() == 0
            try:
                await call.write(frame)
                if self._left and not is_more:
                    return await call.done_writing()
            except (grpc.RpcError, asyncio.InvalidStateError):
                return  # Whoever reads is told why.
            self._renew()
            if is_more:
                self._wake.set()

    def _renew(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(self._lease, self._lose)

    def _lose(self) -> None:
        """The lease has run out: others run what this session held."""
        self._lost_session_id, self._session_id = self._session_id, str(uuid.uuid4())
        self._expiry = None
        for attempt in list(self._running.values()):
            attempt.stop(Stop("fenced"))
        self._results.clear()
        self._said.clear()
        self._unsent = Unsent()

    # What the scheduler says.

    def _hear(self, frame: wire.AttachResponse) -> None:
        for assignment in frame.assignments:
            self._assign(assignment)
        for order in frame.cancels:
            self._cancel(order)
        for ref in frame.fenced:
            attempt = self._running.get(key_of(ref))
            if attempt is not None:
                attempt.stop(Stop("fenced"))
            self._forget(key_of(ref))
        for ref in frame.acknowledged:
            self._forget(key_of(ref))

    def _assign(self, assignment: wire.Assignment) -> None:
        self._credits = max(0, self._credits - 1)
        key = key_of(assignment)
        if key in self._running or key in self._results:
            self._wake.set()  # After a break it may be said again; its credit is owed again.
        elif self._draining:
            self._unsent.handed_back.append(ref_of(assignment))
            self._wake.set()
        else:
            request = wire.IssueAttemptTokenRequest(
                session_id=self._session_id, namespace=self._namespace, **ref_of(assignment)
            )
            scheduler = lambda: self._channel(self._scheduler)  # noqa: E731
            token = AttemptToken(scheduler, self._token, assignment.owner, request)
            storage = Storage(self._channel(self._storage), token)
            children = Children(
                scheduler(), token, storage, assignment.job_id, self._namespace
            )
            self._running[key] = Attempt(assignment, storage, children, self._thread, self)

    def _cancel(self, order: wire.CancelOrder) -> None:
        key = key_of(order)
        has_grace = order.HasField("grace")
        grace = order.grace.ToTimedelta().total_seconds() if has_grace else OWN_GRACE_SECONDS
        if key in self._running:
            self._running[key].stop(Stop("canceled", reason=order.reason), grace)
        elif key not in self._results:
            result = wire.AttemptResult(**ref_of(order), canceled="it was not running")
            self._results[key] = self._unsent.results[key] = result
            self._wake.set()

    def _forget(self, key: tuple) -> None:
        self._results.pop(key, None)
        self._said.pop(key, None)
        self._unsent.forget(key)

    # Leaving.

    async def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        self._wake.set()
        await self._until(lambda: not self._running, self._drain_grace)
        for attempt in list(self._running.values()):
            attempt.stop(Stop("draining"), grace=1.0)
        over = lambda: all(attempt.is_over for attempt in self._running.values())  # noqa: E731
        await self._until(over, LAST_WORD_SECONDS)
        await self._until(lambda: not self._results and self._unsent.is_empty, LAST_WORD_SECONDS)
        self._left = True
        self._wake.set()
        await asyncio.sleep(LAST_WORD_SECONDS)  # The scheduler ends the stream, and with it `run`.
        os._exit(1)

    async def _until(self, condition, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition() and loop.time() < end:
            await asyncio.sleep(0.01)

    def _channel(self, target: str) -> grpc.aio.Channel:
        if target not in self._channels:
            self._channels[target] = self._dial(target)
        return self._channels[target]

    def _dial(self, target: str) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(target, self._tls, options=CHANNEL_OPTIONS)
