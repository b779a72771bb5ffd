"""Asks the external scaler what KEDA asks it, for the methods and the target named: scaler.py METHODS TARGET."""
import json
import os
import sys

import grpc
from keda import externalscaler_pb2, externalscaler_pb2_grpc

methods, target = sys.argv[1:]
with open(os.environ["OFFSTAGE_TOKEN_FILE"]) as token:
    METADATA = [("authorization", "Bearer " + token.read())]

with grpc.insecure_channel(os.environ["OFFSTAGE_SCHEDULER"]) as channel:
    scaler = externalscaler_pb2_grpc.ExternalScalerStub(channel)
    triggers = {"namespace": "default", "methods": methods, "target": target}
    scaled = externalscaler_pb2.ScaledObjectRef(name="executor", namespace="offstage", scalerMetadata=triggers)
    terms = {"metadata": METADATA, "timeout": 10}
    spec = scaler.GetMetricSpec(scaled, **terms).metricSpecs[0]
    request = externalscaler_pb2.GetMetricsRequest(scaledObjectRef=scaled, metricName=spec.metricName)
    value = scaler.GetMetrics(request, **terms).metricValues[0]
    is_active = scaler.IsActive(scaled, **terms).result
    size = spec.targetSizeFloat or spec.targetSize
    print(json.dumps({"active": is_active, "jobs": value.metricValueFloat or value.metricValue, "target": size}))
