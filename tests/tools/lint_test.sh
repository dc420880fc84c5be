#!/usr/bin/env bash
# tools/lint in a repository of its own: what it refuses, what it finds, and which files it looks at.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/lint
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"
if ! command -v clang-format >/dev/null; then echo 'clang-format is not installed'; exit 77; fi

mkdir -p tools src jobs && cp "$tool" tools/ && cp "$(dirname "$tool")/../.clang-format" .
git init -q . && git config user.email a@b && git config user.name a
echo 'int fine();' >src/fine.cpp
git add . && git commit -q -m begin
lint=tools/lint

check 'help' 0 'tools/lint [--since REVISION]' "$lint" --help
check 'an unknown option' 2 'unknown option --fast' "$lint" --fast
check 'a path that is not there' 2 'there is no nowhere' "$lint" nowhere
check 'a revision that is not there' 2 'no revision gone' "$lint" --since gone
check 'no number of processes' 2 'no number of processes' "$lint" --jobs many
check 'a well-formed file' 0 'lint: clean' "$lint" --format src jobs
echo 'int   ugly( ) ;' >src/ugly.cpp
check 'a new file counts' 1 'src/ugly.cpp' "$lint" --format src
check 'another folder does not' 0 'lint: clean' "$lint" --format jobs
git add . && git commit -q -m ugly
check 'what has not changed since is left alone' 0 'lint: clean' "$lint" --format --since HEAD src
check 'what has is looked at' 1 'src/ugly.cpp' "$lint" --format --since HEAD~1 src

[ "$failures" -eq 0 ] || exit 1
echo 'every check holds'
