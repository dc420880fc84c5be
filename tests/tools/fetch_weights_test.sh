#!/usr/bin/env bash
# tools/fetch-weights against files of this machine: arguments, digests, files that are there already.
set -euo pipefail
tool=$(cd "$(dirname "$0")/../.." && pwd)/tools/fetch-weights
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"
# holds DESCRIPTION COMMAND...
holds() {
  local description=$1
  shift
  if ! "$@"; then
    echo "FAILED: $description"
    failures=$((failures + 1))
  fi
}

# The published table.
check 'no arguments' 2 'NAME [--print|--run] [FOLDER]' "$tool"
check 'help' 0 'NAME [--print|--run] [FOLDER]' "$tool" --help
check 'unknown name lists the known' 2 'clip-rn50, clip-rn101' "$tool" vit-l-15
check 'unknown option' 2 'unknown option --force' "$tool" vit-l-14 --force
check 'too many arguments' 2 'one argument too many: c' "$tool" vit-l-14 b c
check 'a name that is a pattern matches nothing' 2 'no weights named .*' "$tool" '.*'
for name in clip-rn50 clip-rn101 clip-rn50x4 clip-rn50x16 clip-rn50x64 vit-l-14 vit-h-14 vit-bigg-14 coca-vit-l-14 \
    dinov2-vit-l-14 siglip2-vit-b-16-224 siglip2-vit-b-16-256 siglip2-vit-b-16-384 siglip2-vit-b-16-512 \
    siglip2-vit-l-16-256 siglip2-vit-l-16-384 siglip2-vit-l-16-512 dinov3-vit-b-16 dinov3-vit-l-16 vocabulary; do
  check "$name is listed" 0 "$name " "$tool" --list
  check "$name prints a download" 0 '--fail --location' "$tool" "$name"
  check "$name prints a check" 0 'sha256sum ' "$tool" "$name" --print
  check "$name names its licence" 0 'Licence of the weights: ' "$tool" "$name"
done
check 'the digest of the URL is the digest checked' 0 \
  'echo afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762\ \ w/clip-rn50.pt.part' "$tool" clip-rn50 w
check 'the list names licences' 0 'Apache-2.0 ' "$tool" --list
check 'a page of consent is named' 0 'consent first, on https://huggingface.co/facebook/dinov3-vitb16' "$tool" dinov3-vit-b-16
# shellcheck disable=SC2016 # As printed.
check 'a token is for the reader to set' 0 'Bearer $HF_TOKEN' "$tool" dinov3-vit-l-16
check 'without positional rows the weights are the same' 0 'clip-rn50.pt' "$tool" clip-rn50-nopos
check 'spaces in the folder are quoted' 0 'mkdir -p my\ folder' "$tool" clip-rn50 'my folder'
holds 'printing writes nothing' [ -z "$(ls)" ]

# Files of this machine instead of published ones.
printf 'these are weights' >source.pt
digest=$(sha256sum source.pt | cut -d ' ' -f 1)
wrong=$(printf '0%.0s' {1..64})
cat >table <<TABLE
good 17 $digest file://$scratch/source.pt
bad 17 $wrong file://$scratch/source.pt
unstated 17 - file://$scratch/source.pt
missing 17 $digest file://$scratch/nowhere.pt
huge 99999999999999999 $digest file://$scratch/source.pt
TABLE
export QUASAR_WEIGHTS_TABLE=$scratch/table

check 'a download' 0 'out/good.pt' "$tool" good --run out
holds 'its bytes' cmp -s source.pt out/good.pt
holds 'its digest beside it' sh -c 'cd out && sha256sum --check --status good.pt.sha256'
check 'again' 0 'is there already and whole' "$tool" good out --run
printf 'x' >>out/good.pt
check 'a file that has been altered' 4 'instead of' "$tool" good --run out

check 'wrong bytes' 4 "has SHA-256 $digest instead of $wrong; it was removed" "$tool" bad --run out
holds 'nothing is left of wrong bytes' [ ! -e out/bad.pt -a ! -e out/bad.pt.part -a ! -e out/bad.pt.sha256 ]

printf 'these' >out/good2.pt.part
sed -i 's/^good /good2 /' table
check 'a broken download continues' 0 'out/good2.pt' "$tool" good2 --run out
holds 'continued to the same bytes' cmp -s source.pt out/good2.pt

mv out/good2.pt out/good2.pt.part
mv source.pt kept.pt
check 'a complete part needs no server' 0 'out/good2.pt' "$tool" good2 --run out
mv kept.pt source.pt

check 'no stated digest is said when printing' 0 'states no SHA-256' "$tool" unstated
check 'no stated digest is recorded' 0 "recorded $digest" "$tool" unstated --run out
holds 'the record' grep -q "^$digest  unstated.pt$" out/unstated.pt.sha256
check 'the record is believed' 0 'is there already and whole' "$tool" unstated --run out
printf 'x' >>out/unstated.pt
check 'the record is enforced' 4 "instead of $digest" "$tool" unstated --run out

check 'a URL without a file' 5 'cannot download' "$tool" missing --run out
check 'a full disk' 5 'MiB left' "$tool" huge --run out

if [ "$failures" -gt 0 ]; then exit 1; fi
echo 'fetch-weights: all checks passed'
