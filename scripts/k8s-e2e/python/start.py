"""Starts a job by plain gRPC, waits for its end, and prints what it came to: start.py METHOD PARAMS."""
import json
import os
import sys
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from offstage.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc

method, params = sys.argv[1:]
with open(os.environ["OFFSTAGE_TOKEN_FILE"]) as token:
    METADATA = [("authorization", "Bearer " + token.read())]

with grpc.insecure_channel(os.environ["OFFSTAGE_SCHEDULER"]) as channel:
    jobs = job_service_pb2_grpc.JobServiceStub(channel)
    payload = job_pb2.Payload(inline=params.encode())
    spec = job_pb2.JobSpec(method=method, params=payload, request_id=str(uuid.uuid4()))
    request = job_service_pb2.StartJobRequest(job=spec, inline_wait=Duration(nanos=500_000_000))
    started = jobs.StartJob(request, metadata=METADATA, timeout=10).job
    completion = started.completion if started.HasField("completion") else None
    while completion is None:
        wait = job_service_pb2.WaitJobsRequest(job_ids=[started.job_id], timeout=Duration(seconds=15))
        status = jobs.WaitJobs(wait, metadata=METADATA, timeout=20).statuses[0]
        completion = status.completion if status.HasField("completion") else None
    state = job_pb2.JobState.Name(completion.state)
    print(json.dumps({"job": started.job_id, "state": state, "result": json.loads(completion.result.inline)}))
