#!/usr/bin/env bash
# tools/test --full says what has run and fails when a part has. Its tools are stand-ins here.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/test
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"

mkdir -p tools bin && cp "$tool" tools/
stand_in() { printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod +x "$1"; }
stand_in tools/setup true
stand_in tools/lint 'echo linted'
stand_in bin/cmake 'echo "cmake $*"'
stand_in bin/ctest 'echo "ctest $*"; exit "${CTEST_STATUS:-0}"'
export PATH=$scratch/bin:$PATH
test=tools/test

check 'help' 0 'tools/test --full [PART...]' "$test" --help
check 'a part that is none' 2 'no part "fast"; there are suite' "$test" --full lint fast
check 'arguments go to ctest' 0 '-R corpus' "$test" -R corpus
check 'the status of ctest' 8 'ctest --preset release' env CTEST_STATUS=8 "$test"
check 'another preset' 0 'ctest --preset asan' env QUASAR_PRESET=asan "$test"
check 'parts by name' 0 'lint           passed' "$test" --full lint
check 'a failing part' 1 'asan           FAILED with 8' env CTEST_STATUS=8 "$test" --full asan lint
check 'does not keep the next from running' 1 'lint           passed' env CTEST_STATUS=8 "$test" --full asan lint
check 'threads have a preset' 0 'ctest --preset tsan' "$test" --full tsan
stand_in tools/lint 'exit 1'
check 'findings of lint' 1 'lint           FAILED with 1' "$test" --full suite lint
check 'beside a suite that passes' 1 'suite          passed' "$test" --full suite lint
check 'no fuzz target at all' 1 'no target was built' "$test" --full fuzz

[ "$failures" -eq 0 ] || exit 1
echo 'every check holds'
