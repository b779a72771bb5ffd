#!/bin/sh
# Puts kustomize, which renders deploy/k8s, into .offstage/bin where this machine has neither it nor kubectl.
# The programs looked at are those of scripts/k8s/render.ts: change both together.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.offstage/bin
version=${OFFSTAGE_KUSTOMIZE_VERSION:-v5.8.1}

say() { echo "kustomize: $*" >&2; }

[ ! -x "$bin/kustomize" ] || exit 0
! command -v kustomize >/dev/null || exit 0
! command -v kubectl >/dev/null || exit 0

command -v go >/dev/null || {
  say 'nothing here renders a kustomization: neither kustomize, nor kubectl, nor go to build it with;'
  say 'install one of them (https://kubectl.docs.kubernetes.io/installation/kustomize)'
  exit 1
}
say "none yet, building $version with go"
mkdir -p "$bin"
GOBIN=$bin GOFLAGS='' go install "sigs.k8s.io/kustomize/kustomize/v5@$version" >&2
