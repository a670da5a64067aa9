#!/bin/sh
# Installs Python packages into the image that is being built: finds the image's Python, makes sure that
# `python` starts it, and runs install.py with it. Works in any POSIX shell; nothing of it stays in the image.
here=${0%/*}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Where memory runs out, the kernel should end this step rather than BuildKit and the builds next to it.
echo 500 2>/dev/null >/proc/self/oom_score_adj || :

version_of() {
  "$1" -I -S -c 'import sys; sys.stdout.write("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

chosen='' seen='' default=$(command -v python)
for name in python python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
  path=$(command -v "$name") || continue
  version=$(version_of "$path") || continue
  case $version in
    3.[0-9] | [!3]*)
      seen=${seen:-$version}
      continue
      ;;
  esac
  chosen=$path
  break
done

if [ -z "$chosen" ]; then
  [ -z "$seen" ] || fail "the base image has Python $seen, and rlmesh needs 3.10 or newer"
  fail 'the base image has no Python'
fi

# The image is started as `python -m …`: `python` must be the Python that has the packages.
if [ "$chosen" != "$default" ]; then
  folder=${chosen%/*}
  if [ -n "$default" ]; then
    # There is an older `python`: the first folder on PATH takes precedence over its folder.
    folder=${PATH%%:*}
    mkdir -p "$folder" && rm -f "$folder/python" && printf '#!/bin/sh\nexec %s "$@"\n' "$chosen" >"$folder/python" &&
      chmod 755 "$folder/python"
  else
    ln -s "${chosen##*/}" "$folder/python"
  fi 2>/dev/null || fail "the base image has no \`python\` beside $chosen, and its user may not add one"
fi

# -I: the user's folder and PYTHONPATH must not change the installer. -B: it leaves no byte code of its own.
exec "$chosen" -I -B "$here/install.py" "$@"
