#!/bin/sh
# Resolve pyproject.toml anew, for every supported Python and platform at once, into
#
#   requirements/dev.txt   with hashes: what `make dev` and CI install
#   constraints.txt        the same versions without: for `pip install -c constraints.txt`, since
#                          pip refuses ranges and folders once any constraint carries a hash
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
{
    echo "# $note, with hashes; $made"
    echo "# Install with: pip install --require-hashes -r requirements/dev.txt"
    "$build/uv/bin/uv" --no-config pip compile pyproject.toml --extra dev --universal --upgrade \
        --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
        --quiet
} >"$build/dev.txt"
{
    echo "# $note; $made"
    echo "# Use with: pip install -c constraints.txt ..."
    sed -e '/^#/d' -e '/--hash=/d' -e 's/ *\\$//' "$build/dev.txt"
} >"$build/constraints.txt"
cp "$build/dev.txt" requirements/dev.txt
cp "$build/constraints.txt" constraints.txt
