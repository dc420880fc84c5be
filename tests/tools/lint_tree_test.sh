#!/usr/bin/env bash
# Format and shell scripts of this tree. Exit status 77: it cannot be judged here (an error where CI=true).
set -euo pipefail
cd "$(dirname "$0")/../.."
cannot() {
  echo "skipped: $1"
  [ "${CI:-}" = true ] && exit 1
  exit 77
}
# It says which files are ours.
git rev-parse --git-dir >/dev/null 2>&1 || cannot 'this is no checkout of git'
for program in clang-format shellcheck; do
  command -v "$program" >/dev/null || cannot "$program is not installed; tools/setup installs it"
done
# Other versions of it break lines elsewhere.
[[ $(clang-format --version) == *'version 14.'* ]] || { echo "skipped: $(clang-format --version)"; exit 77; }
output=$(tools/lint --format) || { echo "$output"; exit 1; }
echo "$output"
[[ $output =~ 'format of '([0-9]+)' files' && ${BASH_REMATCH[1]} -gt 400 ]] || { echo 'FAILED: files are missing'; exit 1; }
[[ $output =~ ([0-9]+)' shell scripts' && ${BASH_REMATCH[1]} -gt 20 ]] || { echo 'FAILED: scripts are missing'; exit 1; }
