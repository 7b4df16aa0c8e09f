#!/bin/sh
# Resolve pyproject.toml anew, for every supported Python and platform at once, into
#
#   requirements/dev.txt     with hashes: what `make dev` and CI install
#   requirements/bench.txt   with hashes: what `make bench` adds, to draw its pictures
#   requirements/rivals.txt  with hashes: what `make bench` compares midair with, on its own
#   constraints.txt          the same versions without: for `pip install -c constraints.txt`, since
#                            pip refuses ranges and folders once any constraint carries a hash
set -eu
cd "$(dirname "$0")/.."
python=$(deploy/setup.sh python)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# uv resolves for all platforms in one go; nothing else here needs it.
"$python" -m venv "$build/uv"
"$build/uv/bin/python" -m pip --disable-pip-version-check -qq install 'uv>=0.13,<0.14'

note='Every supported Python and platform'
made="made by 'make constraints'."

compile() {
    "$build/uv/bin/uv" --no-config pip compile pyproject.toml --universal --python-version 3.11 \
        --no-emit-index-url --no-annotate --no-header --quiet "$@"
}

# Everything at once first, so that the files below agree on each version.
compile --extra dev --extra bench --upgrade >"$build/all.txt"
{
    echo "# $note; $made"
    echo "# Use with: pip install -c constraints.txt ..."
    cat "$build/all.txt"
} >"$build/constraints.txt"
for extra in dev bench; do
    {
        echo "# $note, with hashes; $made"
        echo "# Install with: pip install --require-hashes -r requirements/$extra.txt"
        compile --extra "$extra" --constraints "$build/all.txt" --generate-hashes
    } >"$build/$extra.txt"
done
# Apart from all that: nothing of ours is installed beside it.
{
    echo "# $note, with hashes; $made"
    echo "# Install with: pip install --require-hashes -r requirements/rivals.txt"
    "$build/uv/bin/uv" --no-config pip compile requirements/rivals.in --universal \
        --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet \
        --generate-hashes
} >"$build/rivals.txt"
cp "$build/dev.txt" "$build/bench.txt" "$build/rivals.txt" requirements/
cp "$build/constraints.txt" constraints.txt
