#!/bin/sh
# Fails when the generated files do not match the proto files, or when a proto file breaks what was
# promised: proto/promised.binpb, the contract as it stood last (`make promise` writes it anew; after
# a release it may only grow). A break that is wanted is a new package version (v2).
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sh scripts/generate.sh "$work/generated"
diff -r "$work/generated/proto/gen" proto/gen || {
  echo 'proto/gen does not match the proto files: run make generate and commit the outcome' >&2
  exit 1
}

# What is promised to everybody who has generated code from the proto files: additions are welcome, breaks are not.
echo 'buf breaking, against proto/promised.binpb'
buf build -o "$work/now.binpb"
buf breaking "$work/now.binpb" --against proto/promised.binpb
