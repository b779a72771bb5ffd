"""Generates the client from the proto files, as the guide of plain gRPC has it, and stays there."""
import glob
import os
import time

from grpc_tools import protoc

GENERATED = "/tmp/generated"
os.makedirs(GENERATED, exist_ok=True)
files = glob.glob("/proto/**/*.proto", recursive=True)
bundled = os.path.join(os.path.dirname(protoc.__file__), "_proto")
includes = ["-I/proto", "-I/packages", f"-I{bundled}"]
failed = protoc.main(["", *includes, f"--python_out={GENERATED}", f"--grpc_python_out={GENERATED}", *files])
if failed:
    raise SystemExit(failed)
print("generated", flush=True)
while True:
    time.sleep(3600)
