#!/bin/sh
# Makes the virtual environment and what is generated from the proto files: sh generate.sh [folder, default .offstage]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=${1:-$here/.offstage}
[ -x "$into/bin/python" ] || python3 -m venv "$into"
"$into/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
# Google's own messages that ours import come with googleapis-common-protos.
common=$("$into/bin/python" -c 'import google.rpc as r; print(list(r.__path__)[0].removesuffix("/google/rpc"))')
packages=$("$into/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cd "$here/../../proto"
find offstage -name '*.proto' -exec "$into/bin/python" -m grpc_tools.protoc \
  -I . -I "$common" --python_out="$packages" --grpc_python_out="$packages" {} +
