#!/bin/sh
# Print the address from which apt has this machine's packages:  deploy/mirror.sh
# One mirror serves every release, so that it is good for others, too.
set -eu
mirror() {
    # shellcheck disable=SC2016  # apt-get's own variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME)' 'Created-By: Packages' |
        awk -v suite="$(. /etc/os-release && echo "$VERSION_CODENAME")" \
            '$2 == suite || $3 == suite { print $1; exit }'
}
found=$(mirror)
[ -n "$found" ] || { echo "midair: apt has no source for this release" >&2; exit 2; }
echo "$found"
