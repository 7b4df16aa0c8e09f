#!/bin/sh
# Put wheels of midair's server and of all that it needs into a folder, for images that are built
# without a network:  deploy/wheels.sh FOLDER PYTHON-VERSION     as in "build/wheels 3.11"
#
# Versions and hashes are those of requirements/dev.txt. Run from .venv, which knows who needs whom.
set -eu
cd "$(dirname "$0")/.."
folder=$1 version=$2
pip() {
    .venv/bin/python -m pip --disable-pip-version-check -qq "$@"
}
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
.venv/bin/python deploy/locked.py midair server <requirements/dev.txt >"$new/locked.txt"
pip download --require-hashes --no-deps --only-binary=:all: --python-version "$version" \
    --dest "$new/wheels" -r "$new/locked.txt"
pip wheel --no-deps --no-build-isolation --wheel-dir "$new/wheels" .
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
mv "$new/wheels" "$folder"
