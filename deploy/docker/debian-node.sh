#!/bin/sh
# Makes a base image of Debian's packages and the Node of node_modules, for where no registry of images is in reach:
#
#   debian-node.sh FOLDER    lays the file system into FOLDER/root and a Dockerfile beside it
#
# Only what Node needs to run stays: the C and C++ libraries, the certificates of public authorities, and env.
set -eu

folder=$1
repository=$(cd "$(dirname "$0")/../.." && pwd)
suite=${DEBIAN_SUITE:-bookworm}
command -v mmdebstrap >/dev/null || {
  echo 'debian-node: mmdebstrap is missing: apt-get install mmdebstrap, or name a base with NODE=…' >&2
  exit 1
}
node=$(node -p process.execPath)
rm -rf "$folder"
mkdir -p "$folder/all" "$folder/root"
packages=libc6,libstdc++6,libgcc-s1,libatomic1,ca-certificates,coreutils
mmdebstrap --quiet --variant=extract --include="$packages" "$suite" "$folder/all.tar"
tar -xf "$folder/all.tar" -C "$folder/all"
cd "$folder/root"
mkdir -p -m 755 etc/ssl/certs usr/bin usr/lib usr/local/bin usr/share/doc
mkdir -m 1777 tmp
ln -s usr/lib lib
ln -s usr/lib64 lib64
ln -s usr/bin bin
for place in lib lib64 usr/lib; do
  [ ! -d "$folder/all/$place" ] || { mkdir -p "usr/${place#usr/}" && cp -a "$folder/all/$place/." "usr/${place#usr/}/"; }
done
rm -rf usr/lib/*/gconv usr/lib/*/perl* usr/lib/*/engines-3 usr/lib/*/ossl-modules usr/lib/apt usr/lib/dpkg usr/lib/systemd
# Node brings OpenSSL of its own; the rest of these is of programs that are left out.
rm -f usr/lib/*/libcrypto.so* usr/lib/*/libssl.so* usr/lib/*/libgmp.so* usr/lib/*/libpcre2* usr/lib/*/libselinux*
cp "$folder/all/usr/bin/env" usr/bin/env
for package in libc6 libstdc++6 libgcc-s1 libatomic1 ca-certificates coreutils; do
  cp -aL "$folder/all/usr/share/doc/$package" usr/share/doc/ 2>/dev/null || true
done
find usr/share/doc -type f ! -name copyright -delete
find "$folder/all/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >etc/ssl/certs/ca-certificates.crt
printf 'root:x:0:0:root:/:/nowhere\noffstage:x:10001:10001::/:/nowhere\n' >etc/passwd
printf 'root:x:0:\noffstage:x:10001:\n' >etc/group
cp "$node" usr/local/bin/node
strip usr/local/bin/node 2>/dev/null || true
cp "$(dirname "$node")/../LICENSE" usr/share/doc/node-LICENSE 2>/dev/null || true
rm -rf "$folder/all" "$folder/all.tar"
printf 'FROM scratch\nCOPY root/ /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n' >"$folder/Dockerfile"
cd "$repository"
