# What the tests of the tools share; sourced. Works in a folder of its own, which goes when the test ends.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

failures=0
# check DESCRIPTION EXPECTED_STATUS EXPECTED_TEXT COMMAND...
check() {
  local description=$1 expected=$2 text=$3 status=0 output
  shift 3
  output=$("$@" 2>&1) || status=$?
  if [ "$status" != "$expected" ] || [[ $output != *"$text"* ]]; then
    echo "FAILED: $description: status $status instead of $expected, or no \"$text\" in:"
    echo "$output"
    failures=$((failures + 1))
  fi
}
