"""The methods by which docs/executor-protocol.md holds an executor against itself."""

import asyncio
import os
import re
from pathlib import Path

import grpc
from offstage_attempt import Job, Method
from offstage_executor import Executor
from offstage_values import Failure

LOOK_SECONDS = 0.01
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


async def echo(_job: Job, params):
    return params


async def greet(_job: Job, params):
    return f"Hello {params['name']}"


async def nothing(_job: Job, _params):
    return None


async def report(job: Job, params):
    steps = params["steps"]
    for step in range(1, steps + 1):
        job.progress(100 * step / steps)
        job.message(f"step {step}")
    return steps


async def fail(_job: Job, params):
    brief = params.get("brief", "It was asked to fail.")
    raise Failure(brief, retryable=params["retryable"])


async def large(_job: Job, params):
    return "x" * params["bytes"]


async def remember(job: Job, _params):
    seen = job.last_heartbeat["seen"] if job.last_heartbeat else 0
    job.heartbeat({"seen": seen + 1})
    return seen


def note(params, line: str) -> None:
    with open(params["note"], "a", encoding="utf-8") as file:
        file.write(line + "\n")


def begin(job: Job, params) -> None:
    note(params, "begun")
    job.message("begun")
    job.progress(50)


async def hold(job: Job, params):
    begin(job, params)
    try:
        while not Path(params["gate"]).exists():
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        note(params, "stopped")
        raise
    return "released"


async def why(job: Job, params):
    begin(job, params)
    try:
        while not Path(params["gate"]).exists():
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        note(params, f"{job.stop_code} {job.stop_reason}".rstrip())
        raise
    return "released"


async def both(job: Job, params):
    job.additional_result = "y" * params["bytes"]
    return "the main one"


async def deaf(job: Job, params):
    begin(job, params)
    while not Path(params["gate"]).exists():
        try:
            await asyncio.sleep(LOOK_SECONDS)
        except asyncio.CancelledError:
            pass
    return "released"


async def parent(job: Job, _params):
    return await job.run("conformance.echo", {"of": "the parent"})


def tls_from(env) -> grpc.ChannelCredentials | None:
    """Whom to trust, and what to show; None for plain text."""
    if not env.get("OFFSTAGE_TLS_CA"):
        return None
    ca, key, cert = (
        Path(path).read_bytes() if path else None
        for path in (env.get(f"OFFSTAGE_TLS_{name}") for name in ("CA", "KEY", "CERT"))
    )
    return grpc.ssl_channel_credentials(ca, key, cert)


def seconds_from(text: str) -> float:
    amount, unit = re.fullmatch(r"(\d+)(ms|s)", text).groups()
    return int(amount) / (1_000 if unit == "ms" else 1)


HANDLERS = [echo, nothing, report, fail, large, remember, hold, why, deaf, both, parent]

if __name__ == "__main__":
    methods = [Method(f"conformance.{handler.__name__}", handler) for handler in HANDLERS]
    methods.append(Method("conformance.greet", greet, "Greets somebody.", NAME))
    executor = Executor(
        methods,
        scheduler=os.environ.get("OFFSTAGE_SCHEDULER", "127.0.0.1:7701"),
        storage=os.environ.get("OFFSTAGE_STORAGE", "127.0.0.1:7702"),
        namespace=os.environ.get("OFFSTAGE_NAMESPACE", "default"),
        token=os.environ.get("OFFSTAGE_TOKEN", ""),
        tls=tls_from(os.environ),
        slots=8,
        drain_grace=seconds_from(os.environ.get("OFFSTAGE_EXECUTOR_DRAIN_GRACE", "20s")),
    )
    asyncio.run(executor.run())
