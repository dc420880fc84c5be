#!/usr/bin/env bash
# What tools/test-debian13 refuses, and that it refuses before it touches anything.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/test-debian13
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"

check 'help' 0 'tools/test-debian13 [--root FOLDER] [CTEST ARGUMENTS...]' "$tool" --help
check 'a root without a name' 2 '--root needs a folder' "$tool" --root
if [ "$(id -u)" -eq 0 ]; then
  # A copy, since another user may not be able to read the source.
  mkdir tools && cp "$tool" tools && chmod -R go+rX .
  check 'an ordinary user' 1 'needs root' setpriv --reuid 65534 --regid 65534 --clear-groups tools/test-debian13
  check 'the system itself' 1 'is this system itself' "$tool" --root /
  mkdir full && touch full/file
  check 'a folder of something else' 1 'neither empty nor a Debian root' "$tool" --root full
  [ "$(ls full)" = file ] || { echo 'FAILED: the refused folder was changed'; failures=$((failures + 1)); }
else
  check 'an ordinary user' 1 'needs root' "$tool" --root somewhere
fi
[ ! -e somewhere ] && [ ! -e build ] || { echo 'FAILED: a refused root was made'; failures=$((failures + 1)); }
[ "$failures" -eq 0 ] && echo 'every check holds'
