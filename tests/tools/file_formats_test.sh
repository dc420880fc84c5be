#!/usr/bin/env bash
# file_formats_test.sh QUASAR: makes small runs and looks in docs/file-formats.md for every file, dataset, attribute, column
# and key that they have; its examples must run, too.
set -euo pipefail
quasar=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"
# The first python3 on the path may be another than Debian's, which has the packages of tools/setup.
python=python3
"$python" -c 'import h5py' 2>/dev/null || python=/usr/bin/python3

"$quasar" scenes pictures --count 6 --width 96 --height 80 >/dev/null 2>&1
"$quasar" scenes good --count 4 --width 96 --height 80 --seed 77 >/dev/null 2>&1
echo 'no picture' >pictures/broken.png
mkdir tarred && tar -cf tarred/a.tar -C good .
{
  echo 'path,mos,topic'
  for picture in pictures/*; do echo "$picture,${#picture}.5,t"; done
  echo 'gone.png,9,z'
} >table.csv
cat >config.yaml <<END
run: $scratch/run
corpus:
  sources:
    - {table: $scratch/table.csv, label_column: mos, fields: [topic]}
    - {tar: "$scratch/tarred/a.tar"}
  shard_size: 3
encoder: {batch_size: 2}
anchors:
  shipped: $root/anchors/mini-quality.h5
  built:
    corpus: {directory: $scratch/good, shard_size: 4}
    distortions: {kinds: [jpeg], levels: [2, 4]}
    recipe: {aggregation: clustering, k: 2, iterations: 5}
  rated:
    corpus: {table: $scratch/table.csv, label_column: mos, shard_size: 4}
    recipe: {kind: no_reference, aggregation: mean}
curation:
  filters: {wide: {column: width, at_least: 20}, topic: {column: topic, one_of: [t], matches: t, missing: keep}}
  duplicates: {exact: true, perceptual: true}
  keep: {top_fraction: 0.5}
END
QUASAR_RESULT=$scratch/result "$quasar" run config.yaml >run.log 2>&1 || { cat run.log; exit 1; }
[ "$(od -An -c result | tr -d ' ')" = '0\n' ] || { echo 'FAILED: QUASAR_RESULT'; failures=$((failures + 1)); }
"$quasar" evaluate config.yaml --distortions good --photos 2 --anchors shipped --baselines >distortions.log 2>&1 || { cat distortions.log; exit 1; }

check 'everything is described' 0 'names found' "$python" "$root/tests/tools/file_formats.py" "$root" "$scratch/run"
[ "$failures" -eq 0 ] || exit 1
echo 'every check holds'
