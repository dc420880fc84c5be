#!/usr/bin/env bash
# install_test.sh BUILD MPIEXEC: installs into a prefix of its own and curates a folder from elsewhere, as a user does.
set -euo pipefail
build=$1
mpiexec=$2
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
unset QUASAR_DATA_DIR

cmake --install "$build" --prefix "$scratch/prefix" >install.log
quasar=$scratch/prefix/bin/quasar
shared=$scratch/prefix/share/quasar
check 'the licence comes along' 0 '' test -s "$scratch/prefix/share/doc/quasar/LICENSE"
check 'what the tests provoke does not' 1 '' grep -rlF QUASAR_TEST_ "$scratch/prefix"
[ "$(ls "$scratch/prefix/bin")" = $'quasar\nquasar-decode\nquasar-engine' ] ||
  { echo "FAILED: other programs: $(ls "$scratch/prefix/bin")"; failures=$((failures + 1)); }
mkdir elsewhere && cd elsewhere
"$quasar" scenes pictures --count 8 --width 96 --height 80 2>/dev/null

check 'a run from another folder' 0 'the ranked manifest is out/manifest.csv' \
  "$quasar" run "$shared/configs/folder.yaml" --set run=out --set corpus.directory=pictures
check 'two ranks' 0 'the ranked manifest is out2/manifest.csv' "$mpiexec" -n 2 --oversubscribe --bind-to none \
  "$quasar" run "$shared/configs/folder.yaml" --set run=out2 --set corpus.directory=pictures
check 'a configuration by its name in the installation' 0 'the ranked manifest is out5/manifest.csv' \
  "$quasar" run configs/folder.yaml --set run=out5 --set corpus.directory=pictures
check 'a folder of data that is not there' 4 'QUASAR_DATA_DIR: there is no folder gone' \
  env QUASAR_DATA_DIR=gone "$quasar" run configs/folder.yaml --set run=out6 --set corpus.directory=pictures
[ "$(wc -l <out/manifest.csv)" = 9 ] || { echo 'FAILED: 8 pictures and not 9 lines'; failures=$((failures + 1)); }
cmp out/manifest.csv out2/manifest.csv || failures=$((failures + 1))
check 'the plan names the installed anchors' 0 "$shared/anchors/mini-quality.h5" \
  "$quasar" plan "$shared/configs/folder.yaml" --set corpus.directory=pictures
check 'the saved configuration works, too' 0 'the ranked manifest is out3/manifest.csv' \
  "$quasar" run out/config.yaml --set run=out3

mkdir anchors && echo 'not anchors' >anchors/mini-quality.h5
check 'a file of the working directory goes first' 4 'anchors/mini-quality.h5' \
  "$quasar" run "$shared/configs/folder.yaml" --set run=out4 --set corpus.directory=pictures
check 'anchors that are nowhere' 4 'there is no anchor file anchors/none.h5' \
  "$quasar" run "$shared/configs/folder.yaml" --set corpus.directory=pictures --set anchors.quality=anchors/none.h5
check 'the installed scripts say how to get weights' 0 'curl' "$shared/tools/fetch-weights" vit-l-14
check 'what quasar does alone loads no LibTorch' 1 '' grep -q libtorch <(ldd "$quasar")
mv "$scratch/prefix/bin/quasar-engine" "$scratch/engine"
check 'a look at a run works without the engine' 0 'manifest            written' "$quasar" status out
check 'a run says that the engine is missing' 4 'install quasar-engine beside quasar' "$quasar" run out/config.yaml
check 'the engine may lie elsewhere' 0 'LibTorch' env QUASAR_ENGINE="$scratch/engine" "$quasar" --version
check 'the batch scripts are there' 0 'submit-pipeline' "$shared/slurm/submit-pipeline" --help

[ "$failures" -eq 0 ] || exit 1
echo 'every check holds'
