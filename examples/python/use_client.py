"""What a client does with jobs, each in a few lines. The jobs are those of test/other-languages/client-jobs.ts."""

import os

from offstage.jobs.v1 import job_pb2
from offstage_client import CBOR_TYPE, Client, JobFailed, Refused

client = Client(
    scheduler=os.environ.get("OFFSTAGE_SCHEDULER", "127.0.0.1:7701"),
    storage=os.environ.get("OFFSTAGE_STORAGE", "127.0.0.1:7702"),
    token=os.environ.get("OFFSTAGE_TOKEN", ""),
    user="ada",
)

print("inline:", client.run("clients.greet", {"name": "Ada"}))

# Messages as they come.
job = client.start("clients.count", {"to": 3})
for event in client.watch(job.job_id):
    if event.WhichOneof("event") == "message":
        print("message:", event.message.text)
    elif event.WhichOneof("event") == "completion":
        print("watched:", client.value(event.completion))

# Not waited for inline: the stream tells, with a poll beside it.
job = client.start("clients.count", {"to": 5})
print("waited:", client.value(client.wait(job.job_id)))

# Canceled when it is halfway.
job = client.start("clients.endless")
for event in client.watch(job.job_id):
    if event.WhichOneof("event") == "progress":
        print(f"progress: {event.progress.percent:g}")
        client.cancel(job.job_id, "changed my mind")
print("canceled:", "true" if client.wait(job.job_id).state == job_pb2.JOB_STATE_CANCELED else "false")

# More than 64 KiB each way goes through temp storage.
print("large:", len(client.run("clients.reverse", {"text": "x" * 200_000 + "y"})))

# A procedure returns nothing.
print("nothing:", "true" if client.run("clients.nothing") is None else "false")

# What JSON has no word for.
doubled = client.run("clients.double", {"n": 2**70, "bytes": b"\x00\xff"}, codec=CBOR_TYPE)
print("cbor:", doubled["n"], doubled["bytes"].hex())

for method, params in [("clients.gret", {}), ("clients.greet", {"name": 7})]:
    try:
        client.run(method, params)
    except Refused as refused:
        print("refused:", refused.reason, *refused.violations)
try:
    client.run("clients.fail")
except JobFailed as failed:
    print("failed:", failed.reason, failed.completion.error.brief)

client.close()
