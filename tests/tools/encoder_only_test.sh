#!/usr/bin/env bash
# The encoder module and its benchmark build and run where LibTorch, nlohmann-json and utf8proc are all that can be found.
# Usage: encoder_only_test.sh BUILD_FOLDER TORCH_DIR
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
hidden=()
for package in OpenSSL ZLIB fmt spdlog yaml-cpp MPI HDF5 faiss BLAS CLI11 GTest benchmark PkgConfig; do
  hidden+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done
cmake -S "$root" -B "$build" -G Ninja -Wno-dev --no-warn-unused-cli -DTorch_DIR="$2" -DCMAKE_BUILD_TYPE=Release \
  -DQUASAR_ENCODER_ONLY=ON -DQUASAR_BUILD_TESTS=OFF -DQUASAR_BUILD_BENCHMARKS=ON "${hidden[@]}"
cmake --build "$build"
output=$("$build/benchmarks/encoder_benchmark" --presets dinov2-vit-s-14 --batch 1 --seconds 0 --dtypes float32)
echo "$output"
# The embedding of a picture equals itself: the last two columns are cosines.
grep -Eq '^dinov2-vit-s-14 .* 22056576 float32 .*% +1\.000000 1\.000000$' <<<"$output"
