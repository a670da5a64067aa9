#!/bin/sh
# Installs Debian packages into the image that is being built. Downloads and package lists stay in cache mounts.
mounts=/run/rlmesh-sandbox

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Where memory runs out, the kernel should end this step rather than BuildKit and the builds next to it.
echo 500 2>/dev/null >/proc/self/oom_score_adj || :

command -v apt-get >/dev/null || fail 'the base image has no apt-get, which --apt needs'
[ "$(id -u)" = 0 ] || fail "the base image's user is not root, and may not install system packages"

# NAME=VALUE lines, among them the proxies.
if [ -r $mounts/settings ]; then
  while IFS= read -r line; do
    # shellcheck disable=SC2163 # The line has the name and the value.
    export "$line"
  done <$mounts/settings
fi
# apt only reads the names in lower case.
for name in HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY; do
  lower=$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]')
  eval "value=\${$lower:-\${$name:-}}"
  [ -z "$value" ] || export "$lower=$value"
done

work=$(mktemp -d) || exit 1
# Official images configure apt to delete every download. It gets a copy of the configuration without that, so
# that the image's own file stays as it is.
parts=$work/parts
mkdir "$parts"
for file in /etc/apt/apt.conf.d/*; do
  [ ! -f "$file" ] || [ "${file##*/}" = docker-clean ] || cp "$file" "$parts/"
done
if [ -r $mounts/certificates ]; then
  cat /etc/ssl/certs/ca-certificates.crt $mounts/certificates >"$work/certificates" 2>/dev/null
  printf 'Acquire::https::CaInfo "%s";\n' "$work/certificates" >"$parts/99certificates"
fi
chmod -R a+rX "$work"

quietly() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Dir::Etc::parts="$parts" -o APT::Keep-Downloaded-Packages=true -o Binary::apt::APT::Keep-Downloaded-Packages=true \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Get::List-Cleanup=false \
    -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# The cache has the lists of other images too. Lists that are up to date are not downloaded again.
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
quietly update && quietly install --no-install-recommends -- "$@"
status=$?
rm -rf "$work" /var/log/apt/*.log /var/log/apt/*.xz /var/log/dpkg.log /var/log/alternatives.log
exit $status
