#!/bin/sh
# Generates proto/gen from the proto files: TypeScript by ts-proto, and the descriptors that server reflection serves.
# generate.sh [folder]: writes to <folder>/proto/gen. Default: this checkout.
set -eu
cd "$(dirname "$0")/.."
buf generate --output "${1:-.}"
node scripts/take-any-key.ts "${1:-.}/proto/gen"
buf build --as-file-descriptor-set -o "${1:-.}/proto/gen/descriptors.binpb" \
  --path proto/offstage --path proto/keda --path node_modules/google-proto-files/google/rpc/error_details.proto
