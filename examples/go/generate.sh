#!/bin/sh
# Generates gen/ from the proto files. buf comes with `make setup`; what it runs is installed into bin/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export GOBIN="$here/bin"
export PATH="$GOBIN:$root/node_modules/.bin:$PATH"
cd "$here"
go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
buf generate "$root" --path "$root/proto/offstage" --template "$root/docs/guides/buf.gen.yaml"
