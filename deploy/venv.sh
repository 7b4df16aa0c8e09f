#!/bin/sh
# Make the virtual environment, or bring it up to date: deploy/venv.sh FOLDER
# PYTHON=... names the interpreter; otherwise the first one that is new enough is taken.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(deploy/setup.sh python)
    echo "midair: making $venv with $("$python" --version) (about half a minute)" >&2
    "$python" -m venv --clear "$venv"
else
    echo "midair: updating $venv" >&2
fi

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check -qq "$@"
}
pip install --require-hashes -r requirements/dev.txt
# The build backend is in requirements/dev.txt, so nothing is looked up here.
pip install --no-deps --no-build-isolation --editable .
