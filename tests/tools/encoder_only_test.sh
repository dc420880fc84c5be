#!/usr/bin/env bash
# The encoder module needs LibTorch, nlohmann-json and utf8proc, and nothing else of Quasar's dependencies.
#   encoder_only_test.sh BUILD TORCH_DIR        on the objects of BUILD, without compiling the encoder again: what they
#                                               have included and what they want linked
#   encoder_only_test.sh BUILD TORCH_DIR --full builds it where nothing else can be found, and runs its tests and its
#                                               benchmark
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
full=$1 build=$1/encoder_only torch=$2 mode=${3:-}
fail() { echo "FAILED: $*"; exit 1; }

# The packages that are hidden, and by what their headers are known.
declare -A headers=(
  [OpenSSL]=/openssl/ [ZLIB]='' [fmt]=/fmt/ [spdlog]=/spdlog/ [yaml-cpp]=/yaml-cpp/
  [MPI]=/mpi.h [HDF5]=/hdf5.h [faiss]=/faiss/ [BLAS]='' [CLI11]=/CLI/ [GTest]=/gtest/ [benchmark]=/benchmark/
  [PkgConfig]='/vips/\|/xxhash.h\|/openjpeg'
)
options=(-G Ninja -Wno-dev --no-warn-unused-cli -DTorch_DIR="$torch" -DQUASAR_ENCODER_ONLY=ON -DQUASAR_BUILD_BENCHMARKS=ON)
for package in "${!headers[@]}"; do
  if [ "$mode" = --full ] && [ "$package" = GTest ]; then continue; fi
  options+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done

if [ "$mode" = --full ]; then
  cmake -S "$root" -B "$build" "${options[@]}" -DCMAKE_BUILD_TYPE=Release -DQUASAR_BUILD_TESTS=ON
  cmake --build "$build"
  ctest --test-dir "$build" --output-on-failure -j "$(nproc)"
  output=$("$build/benchmarks/encoder_benchmark" --presets dinov2-vit-s-14 --batch 1 --seconds 0 --dtypes float32)
  echo "$output"
  # The embedding of a picture equals itself: the last two columns are cosines.
  grep -Eq '^dinov2-vit-s-14 .* 22056576 float32 .*% +1\.000000 1\.000000$' <<<"$output"
  exit
fi

# base is another library here, and a small one: it is compiled, the rest is taken from the whole build.
build+=_check
cmake -S "$root" -B "$build" "${options[@]}" -DCMAKE_BUILD_TYPE=Debug -DQUASAR_BUILD_TESTS=OFF \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >"$build.log" || { cat "$build.log"; fail 'it cannot be configured'; }
cmake --build "$build" --target quasar_base
mapfile -t sources < <(sed -n 's#^ *"file": ".*/\(src/[^"]*\)",\{0,1\}$#\1#p' "$build/compile_commands.json" | grep -v '^src/base/')
[ "${#sources[@]}" -ge 20 ] || fail "its list of sources has only ${#sources[@]}"
# Which object holds a source: one of its own, or that of the file that compiles it together with others. A folder may
# still hold objects that the build no longer makes.
made=$(ninja -C "$full" -t targets all | sed -n 's/^\([^ :]*\.o\): .*/\1/p')
objects_of() {
  local module=$1 source=$2 object
  while read -r object; do
    case $object in
      */Unity/*) ! grep -Fq "/$module/$source\"" "$full/${object%.o}" || echo "$object" ;;
      *"/$source.o") echo "$object" ;;
    esac
  done < <(grep "^$module/CMakeFiles/" <<<"$made")
}
mapfile -t objects < <(
  for source in "${sources[@]}"; do
    # A module may be several libraries, and a source in several of them.
    found=$(objects_of "${source%/*}" "${source##*/}")
    echo "${found:-none of $source}"
  done | sort -u
)
for object in "${objects[@]}"; do
  [ "$object" = "${object#none of }" ] || fail "the whole build has no object of ${object#none of }"
done

ninja -C "$full" -t deps "${objects[@]}" >"$build/included"
[ "$(grep -c ': #deps' "$build/included")" -eq "${#objects[@]}" ] || fail 'the whole build does not know what they include'
for package in "${!headers[@]}"; do
  pattern=${headers[$package]}
  if [ -n "$pattern" ] && grep -B 2000 -m 1 -- "$pattern" "$build/included" >"$build/found"; then
    fail "$(grep ': #deps' "$build/found" | tail -n 1 | cut -d: -f1) includes $(tail -n 1 "$build/found"), of $package"
  fi
done

names() { sed -E 's/^([0-9a-f]+)? *[A-Za-z] //' | LC_ALL=C sort -u; }
cd "$full"
nm --undefined-only "${objects[@]}" | grep -E '^ +[Uw] ' | names >"$build/wanted"
{ nm --defined-only "${objects[@]}"; nm --defined-only "$build/src/base/libquasar_base.a"; } |
  grep -E '^[0-9a-f]+ ' | names >"$build/had"
missing=$(LC_ALL=C comm -23 "$build/wanted" "$build/had" | c++filt |
  grep -E '^(vtable for |typeinfo for )?(quasar|fmt|spdlog|nlohmann|YAML|faiss)::|^(MPI_|H5|EVP_|XXH)' || true)
[ -z "$missing" ] || fail "these want more than LibTorch: $missing"
echo "${#objects[@]} objects of the encoder include and want nothing but LibTorch, nlohmann-json, utf8proc and a base without dependencies"
