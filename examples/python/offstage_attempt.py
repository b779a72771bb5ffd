"""One attempt of a job: its steps, what its handler may say, and how it is stopped."""

import asyncio
import dataclasses
import json
import threading
import traceback
from collections.abc import Awaitable, Callable

import grpc
import jsonschema
from google.protobuf.duration_pb2 import Duration
from offstage.executor.v1 import executor_service_pb2 as wire
from offstage.jobs.v1 import job_pb2
from offstage_children import Children
from offstage_values import INLINE_BYTES_MAX, JSON_TYPE, Failure, Storage, json_of, reason_of

OWN_GRACE_SECONDS = 5.0
PROGRESS_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Method:
    """What a handler is announced as. The schema is JSON Schema, which the scheduler checks starts by."""

    name: str
    run: Callable[["Job", object], Awaitable[object]]
    description: str = ""
    params_schema: dict | None = None

    @property
    def schema_text(self) -> str:
        return "" if self.params_schema is None else json.dumps(self.params_schema)

    def check(self, params: object) -> None:
        if self.params_schema is None:
            return
        kind = jsonschema.validators.validator_for(self.params_schema)
        faults = [f"{e.json_path}: {e.message}" for e in kind(self.params_schema).iter_errors(params)]
        if faults:
            brief = "The parameters do not fit: " + "; ".join(faults)
            raise Failure(brief, reason="PARAMS_INVALID", retryable=False)


@dataclasses.dataclass(frozen=True)
class Stop:
    """Why an attempt is stopped: canceled, fenced, draining, or the reason of the deadline it passed."""

    kind: str
    retryable: bool = True
    reason: str = ""

    @property
    def code(self) -> str:
        return STOP_CODES.get(self.kind, self.kind)


STOP_CODES = {"canceled": "JOB_CANCELED", "draining": "EXECUTOR_DRAINING", "fenced": "ATTEMPT_LOST"}


class Job:
    """What a handler is given. It may be called from the handlers' thread only."""

    def __init__(self, attempt: "Attempt"):
        self._attempt, self._revision, self._messages = attempt, 0, 0
        assignment = attempt.assignment
        self.id, self.attempt, self.owner = attempt.job_id, attempt.number, assignment.owner
        has_data = assignment.HasField("heartbeat_data")
        self.last_heartbeat = json.loads(assignment.heartbeat_data.inline) if has_data else None
        # Where the caller has reserved places for results; empty where not.
        self.result_address = assignment.result_address
        self.additional_result_address = assignment.additional_result_address
        self.wants_additional_result = assignment.want_additional_result
        # Told where one is wanted; None is none.
        self.additional_result: object = None

    @property
    def stop_code(self) -> str:
        """Why it is to stop, once a CancelledError says so: JOB_CANCELED, EXECUTOR_DRAINING, ATTEMPT_LOST, or that of a deadline."""
        return self._attempt.stopping.code if self._attempt.stopping else ""

    @property
    def stop_reason(self) -> str:
        """What whoever canceled it has said."""
        return self._attempt.stopping.reason if self._attempt.stopping else ""

    def progress(self, percent: float, text: str = "") -> None:
        self._revision += 1
        progress = job_pb2.Progress(
            percent=percent, text=plain(text), revision=self._revision
        )
        self._report(wire.ProgressReport(**self._attempt.ref, progress=progress))

    def message(self, text: str, severity=job_pb2.MESSAGE_SEVERITY_INFO) -> None:
        self._messages += 1
        number = self._messages
        self._report(
            wire.MessageReport(
                **self._attempt.ref, number=number, severity=severity, text=plain(text)
            )
        )

    def heartbeat(self, data: object = None) -> None:
        """A sign of life; the data is what the next attempt has as `last_heartbeat`."""
        report = wire.ProgressReport(**self._attempt.ref)
        if data is not None:
            report.heartbeat_data.inline = json.dumps(data).encode()
        self._report(report)

    async def run(self, method: str, params: object) -> object:
        """The result of a child job. While the handler waits for it, its slot is free for another."""
        home = self._attempt.home
        child = asyncio.run_coroutine_threadsafe(self._attempt.run_child(method, params), home)
        return await asyncio.wrap_future(child)

    def _report(self, report) -> None:
        self._attempt.home.call_soon_threadsafe(self._attempt.heard, report)


class HandlerThread:
    """Where handlers run, so that one that computes does not hold up heartbeats."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def call(self, make: Callable[[], Awaitable[object]]) -> tuple[asyncio.Future, Callable[[], None]]:
        """The end of the handler, and what tells it to stop: a CancelledError where it awaits."""
        home = asyncio.get_running_loop()
        done, tasks, calls = home.create_future(), [], []

        async def called():
            calls.append(True)
            return await make()

        def begin():
            tasks.append(self.loop.create_task(called()))
            tasks[0].add_done_callback(lambda task: home.call_soon_threadsafe(settle, task))

        def settle(task: asyncio.Task):
            if task.cancelled():
                done.set_exception(Stopped(bool(calls)))
            elif task.exception() is not None:
                done.set_exception(task.exception())
            else:
                done.set_result(task.result())

        self.loop.call_soon_threadsafe(begin)
        return done, lambda: self.loop.call_soon_threadsafe(lambda: tasks[0].cancel())


class Stopped(Exception):
    """The handler let itself be stopped; or it was not even called."""

    def __init__(self, was_called: bool):
        super().__init__("stopped")
        self.was_called = was_called


class Attempt:
    """Ends in exactly one call of `ended`: with a result, or with None where nothing is to be said."""

    def __init__(
        self, assignment: wire.Assignment, storage: Storage, children: Children,
        thread: HandlerThread, on,
    ):  # fmt: skip
        self.assignment, self.job_id, self.number = assignment, assignment.job_id, assignment.attempt
        self.ref = {"job_id": self.job_id, "attempt": self.number}
        self.key = (self.job_id, self.number)
        self.home = asyncio.get_running_loop()
        self._storage, self._children, self._thread, self._on = storage, children, thread, on
        self._waits = 0  # How many children it waits for.
        self.stopping: Stop | None = None
        self._stop_handler: Callable[[], None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._silence: asyncio.TimerHandle | None = None
        self._newest: wire.ProgressReport | None = None  # Of progress, not told yet.
        self._told: asyncio.TimerHandle | None = None
        self._has_begun = False
        self.is_over = False  # Its end is told, though the handler may run on.
        for field, reason, retryable in DEADLINES:
            if assignment.HasField(field):
                stop = Stop(reason, retryable)
                self._later(getattr(assignment, field), lambda stop=stop: self.stop(stop))
        self._listen()
        self._task = self.home.create_task(self._run())

    def stop(self, cause: Stop, grace: float = OWN_GRACE_SECONDS) -> None:
        """The first cause stands, but for `fenced`, which overrides all others."""
        if self.is_over or (self.stopping is not None and cause.kind != "fenced"):
            return
        is_first, self.stopping = self.stopping is None, cause
        if not is_first:
            return
        self._timers.append(self.home.call_later(grace, self._give_up))
        if self._stop_handler is not None:
            self._stop_handler()
        elif self._has_begun:  # A task canceled before it begins would tell nobody.
            self._task.cancel()

    def heard(self, report) -> None:
        if self.is_over:
            return
        self._listen()
        if isinstance(report, wire.ProgressReport) and report.HasField("progress"):
            self._newest = report
            if self._told is None:
                self._tell()
        else:
            self._on.report(self, report)

    @property
    def is_parked(self) -> bool:
        """It waits for children, and holds no slot."""
        return self._waits > 0

    async def run_child(self, method: str, params: object) -> object:
        job_id = await self._children.start(method, params)
        self._wait(1)
        try:
            return await self._children.result(job_id)
        finally:
            self._wait(-1)

    def _wait(self, more: int) -> None:
        was_parked = self.is_parked
        self._waits += more
        if self.is_parked == was_parked or self.is_over:
            return
        if self.is_parked and self._silence is not None:
            self._silence.cancel()  # Such a wait is no silence.
        elif not self.is_parked:
            self._listen()
        self._on.park(self)

    def _tell(self) -> None:
        """Of progress only the newest matters, and that not all the time."""
        self._told = None
        if self._newest is not None:
            self._on.report(self, self._newest)
            self._newest = None
            self._told = self.home.call_later(PROGRESS_SECONDS, self._tell)

    async def _run(self) -> None:
        self._has_begun = True
        try:
            if self.stopping is not None:
                raise asyncio.CancelledError
            outcome = await self._steps()
        except Stopped as error:
            was_called = error.was_called
            outcome = self._stopped(was_called) if self.stopping else failed(error, "It was canceled.")
        except asyncio.CancelledError:
            outcome = self._stopped(was_called=False)
        except grpc.RpcError as error:
            outcome = self._refused(error)
        except Exception as error:  # Whatever a handler raises fails its attempt, and nothing else.
            outcome = failed(error, str(error) or type(error).__name__)
        self._end(outcome)
        self._on.free(self)

    async def _steps(self) -> dict:
        method = self._on.methods.get(self.assignment.method)
        if method is None:
            brief = f"This executor has no method {self.assignment.method}."
            raise Failure(brief, reason="METHOD_UNKNOWN", retryable=False)
        given, job = self.assignment, Job(self)
        addresses = [given.result_address, given.additional_result_address]
        looking = self._storage.look(given.scope, [address for address in addresses if address])
        params, _ = await asyncio.gather(self._params(), looking)
        method.check(params)
        done, self._stop_handler = self._thread.call(lambda: method.run(job, params))
        outcome = {"succeeded": await self._placed(await done, given.result_address)}
        if given.want_additional_result and job.additional_result is not None:
            placed = await self._placed(job.additional_result, given.additional_result_address)
            outcome["additional_result"] = placed
        return outcome

    async def _params(self) -> object:
        params = self.assignment.params
        at_address = params.WhichOneof("source") == "address"
        return json_of(await self._storage.read(params.address) if at_address else params.inline)

    async def _placed(self, value: object, address: str) -> job_pb2.Payload:
        if value is None and not address:
            return job_pb2.Payload()
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if len(encoded) <= INLINE_BYTES_MAX and not address:
            return job_pb2.Payload(inline=encoded, content_type=JSON_TYPE)
        return await self._storage.put(encoded, self.assignment.namespace, address)

    def _stopped(self, was_called: bool, how: str = "stopped when asked to") -> dict | None:
        kind = self.stopping.kind
        if kind == "canceled":
            return {"canceled": how, "never_started": not was_called}
        if kind in ("fenced", "draining"):
            return None
        brief = f"The attempt was {how}: it is past its deadline."
        return failed_with(brief, brief, kind, self.stopping.retryable)

    def _refused(self, error: grpc.RpcError) -> dict | None:
        """A call of the executor's own for the attempt, which the handler did not make."""
        reason = reason_of(error)
        if reason == "ATTEMPT_NOT_HELD":
            self.stopping = Stop("fenced")
            return None
        return failed(error, error.details() or "", reason or error.code().name)

    def _give_up(self) -> None:
        """The grace is over, and the handler runs on: its slot is not free, but its end is told."""
        self._end(self._stopped(was_called=True, how="given up: it does not listen"))

    def _end(self, outcome: dict | None) -> None:
        if self.is_over:
            return
        self._tell()
        self.is_over = True
        for timer in [*self._timers, self._silence, self._told]:
            if timer is not None:
                timer.cancel()
        is_fenced = self.stopping is not None and self.stopping.kind == "fenced"
        has_result = outcome is not None and not is_fenced
        result = wire.AttemptResult(**self.ref, **outcome) if has_result else None
        self._on.end(self, result, handed_back=outcome is None and not is_fenced)

    def _listen(self) -> None:
        if not self.assignment.HasField("heartbeat_deadline"):
            return
        if self._silence is not None:
            self._silence.cancel()
        silence = self.assignment.heartbeat_deadline.ToTimedelta().total_seconds()
        self._silence = self.home.call_later(silence, self._silent)

    def _silent(self) -> None:
        if self._stop_handler is None:  # It has nothing to say yet: the executor speaks for it.
            self.heard(wire.ProgressReport(**self.ref))
        else:
            self.stop(Stop("HEARTBEAT_DEADLINE_EXCEEDED"))

    def _later(self, after: Duration, act: Callable[[], None]) -> None:
        self._timers.append(self.home.call_later(after.ToTimedelta().total_seconds(), act))


DEADLINES = (
    ("attempt_deadline", "ATTEMPT_DEADLINE_EXCEEDED", True),
    ("total_deadline", "TOTAL_DEADLINE_EXCEEDED", False),
)


def failed(error: BaseException, brief: str, reason: str = "") -> dict:
    detail = "".join(traceback.format_exception(error))
    own = reason or getattr(error, "reason", "") or type(error).__name__
    return failed_with(brief, detail, own, getattr(error, "retryable", True))


def failed_with(brief: str, detail: str, reason: str, retryable: bool) -> dict:
    error = job_pb2.JobError(
        brief=plain(brief)[:1_000], detail=plain(detail)[-30_000:], reason=plain(reason)[:200],
        retryable=retryable,
    )  # fmt: skip
    return {"failed": error}


def plain(text: str) -> str:
    """With U+FFFD for halves of characters, which protobuf does not take: what is told of a job must not fail it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
