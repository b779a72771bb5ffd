#!/bin/sh
# Fails when the generated files do not match the proto files, or when a proto file breaks what an
# earlier commit promised. Compared with: OFFSTAGE_PROTO_BASE where set, else where this branch left
# origin/main, else the commit before. A break that is wanted is a new package version (v2).
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sh scripts/generate.sh "$work/generated"
diff -r "$work/generated/proto/gen" proto/gen || {
  echo 'proto/gen does not match the proto files: run make generate and commit the outcome' >&2
  exit 1
}

has_proto() { git cat-file -e "$1:buf.yaml" 2>/dev/null; }

if [ -n "${OFFSTAGE_PROTO_BASE:-}" ]; then
  base=$OFFSTAGE_PROTO_BASE
else
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  [ -n "$base" ] && [ "$base" != "$(git rev-parse HEAD)" ] || base='HEAD^'
  if ! has_proto "$base"; then
    echo 'proto: no earlier commit to compare with'
    exit 0
  fi
fi
echo "buf breaking, against $(git rev-parse --short "$base")"

# Two built images, since the old files need the same packages beside them as the new ones.
mkdir -p "$work/old/node_modules"
git archive "$base" proto buf.yaml | tar -x -C "$work/old"
ln -s "$PWD/node_modules/google-proto-files" "$work/old/node_modules/google-proto-files"
buf build "$work/old" -o "$work/old.binpb"
buf build -o "$work/new.binpb"
buf breaking "$work/new.binpb" --against "$work/old.binpb"
