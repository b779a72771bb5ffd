#!/usr/bin/env bash
# Generates proto/gen from the proto files: TypeScript by ts-proto, and the descriptors that server reflection serves.
set -euo pipefail
cd "$(dirname "$0")/.."
buf generate
buf build --as-file-descriptor-set -o proto/gen/descriptors.binpb \
  --path proto/offstage --path node_modules/google-proto-files/google/rpc/error_details.proto
