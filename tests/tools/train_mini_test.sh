#!/usr/bin/env bash
# train_mini_test.sh TRAIN_MINI QUASAR: trains on rendered scenes for a few steps, as a user would on photos.
set -euo pipefail
train=$1 quasar=$2
# shellcheck source=tests/tools/checks.sh
source "$(dirname "$0")/checks.sh"

"$quasar" scenes photos --count 4 --width 128 --height 96 >/dev/null
small=(--photos photos --damage-patches 2 --groups 12 --kinds 3 --photos-per-kind 2 --side 64 --steps 3)
check 'trains, validates and exports' 0 'validation after step 3: within-kind' \
  "$train" "${small[@]}" --weights a.safetensors --state state --validate photos --validation-photos 2
check 'a finished training goes on after its last step' 0 'continues after step 3' \
  "$train" "${small[@]}" --weights b.safetensors --state state
check 'the same weights come out' 0 '' cmp a.safetensors b.safetensors
check 'the same seed gives the same weights' 0 '' \
  "$train" "${small[@]}" --weights c.safetensors
check 'bit for bit' 0 '' cmp a.safetensors c.safetensors
growing=("${small[@]}" --first-groups 11)
check 'windows that join while it trains' 0 '' "$train" "${growing[@]}" --weights e.safetensors --feed-threads 3
check 'join at the same steps' 0 '' "$train" "${growing[@]}" --weights f.safetensors --threads 1
check 'bit for bit, whichever thread drew a batch' 0 '' cmp e.safetensors f.safetensors
check 'other shares of what is left out' 0 '' \
  "$train" "${small[@]}" --weights g.safetensors --feature-dropout 0 --hidden-dropout 0
check 'give other weights' 1 'differ' cmp a.safetensors g.safetensors
check 'a share that leaves nothing' 2 '--hidden-dropout' "$train" "${small[@]}" --weights d.safetensors --hidden-dropout 1
check 'no photos' 4 'is no folder with .jpg, .png or .webp pictures' "$train" --photos nowhere --weights d.safetensors
check 'an unknown kind' 2 'a distortion that does not exist' \
  "$train" "${small[@]}" --weights d.safetensors --hold-out motion_blurr
check 'a crop larger than the photos' 4 'a smaller --side would do' \
  "$train" --photos photos --damage-patches 2 --groups 12 --side 112 --weights d.safetensors
check 'too few windows for the kinds' 2 '--groups 11 or more' "$train" --photos photos --damage-patches 2 --groups 10 --weights d.safetensors
if "$quasar" --version | grep -q 'without CUDA'; then
  check 'a GPU that is not there' 7 'LibTorch sees none on this machine' \
    "$train" "${small[@]}" --weights d.safetensors --device cuda
fi
check 'an unknown device' 2 '--device' "$train" "${small[@]}" --weights d.safetensors --device gpu
check 'an unknown option' 2 '--sides' "$train" "${small[@]}" --sides 3

[ "$failures" = 0 ] || exit 1
