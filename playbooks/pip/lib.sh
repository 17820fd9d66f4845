# What the scripts of pip share. FOLDER is the environment: a virtual one, or the prefix of a Python of its own. INDEX
# is the URL of the package index where it is not what pip's own configuration says; ONLY_BINARY is what pip's option of
# that name takes, since building a package runs code of it.

find_application() {
    find_owner
    python=$FOLDER/bin/python
    [ -x "$python" ] || python=$FOLDER/bin/python3
    [ -x "$python" ] || leave 4 no-python "there is no Python in $FOLDER/bin"
    if [ -n "${INDEX:-}" ]; then
        PIP_INDEX_URL=$INDEX
        export PIP_INDEX_URL
    fi
    PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COLOR=1 PIP_RETRIES=2 PIP_TIMEOUT=20 PIP_ONLY_BINARY=${ONLY_BINARY-:all:}
    export PIP_NO_INPUT PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_COLOR PIP_RETRIES PIP_TIMEOUT PIP_ONLY_BINARY
    as_owner "$python" -I - <<'PY'
import importlib.util, os, sys, sysconfig
if sys.version_info < (3, 8):
    sys.exit(10)
if not importlib.util.find_spec("pip"):
    sys.exit(11)
managed = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
sys.exit(12 if sys.prefix == sys.base_prefix and os.path.exists(managed) else 0)
PY
    case $? in
        0) ;;
        10) leave 4 no-python "$python is older than 3.8" ;;
        11) leave 4 no-pip "there is no pip for $python" ;;
        12) leave 4 externally-managed "$FOLDER belongs to the package manager of the system" ;;
        *) leave 4 no-python "$python does not run" ;;
    esac
}

pip() {
    as_owner "$python" -I -m pip "$@"
}

# Digest of all packages and their versions.
packages_digest() {
    pip freeze --all 2>/dev/null | sort >"$work/freeze"
    sha256sum <"$work/freeze" | cut -d ' ' -f 1
}

# What does not fit together, as `NAME requires NAME` or `NAME has requirement NAME...`, sorted.
conflicts() {
    pip check 2>/dev/null | sed -n -e 's/^\([^ ]*\) [^ ]* requires \([^ ]*\), which is not installed\.$/\1 requires \2/p' \
        -e 's/^\([^ ]*\) [^ ]* has requirement \(.*\), but you have .*/\1 has requirement \2/p' | sort -u
}

# A line `STATE NAME INSTALLED WANTED` for each package of "$@", with `-` for what there is not; STATE is `absent`,
# `behind` or `fine`, by the rules of PEP 440 as pip itself has them.
states() {
    as_owner "$python" -I - "$@" <<'PY'
import sys
from importlib import metadata
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

wanted = {}
for spec in sys.argv[1:]:
    name, _, version = spec.partition("=")
    name = canonicalize_name(name)
    version = Version(version) if version else None
    known = wanted.get(name)
    wanted[name] = max(known, version) if known and version else known or version
for name, version in sorted(wanted.items()):
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        print("absent", name, "-", version or "-")
        continue
    state = "fine" if version and Version(installed) >= version else "behind"
    print(state, name, installed, version or "-")
PY
}

# Sets `targets` (NAME==VERSION, or NAME) to what is still to be installed.
find_targets() {
    states "$@" >"$work/states" 2>"$work/said" || leave 4 invalid-version "$(last_words "$work/said")"
    absent=$(awk '$1 == "absent" { print $2 }' "$work/states" | words)
    # What was found must be somewhere else: calling it fixed because it is not here would be wrong.
    [ -z "$absent" ] || leave 4 not-installed "not installed in $FOLDER: $absent"
    targets=$(awk '$1 == "behind" { print $2 ($4 == "-" ? "" : "==" $4) }' "$work/states" | words)
}

# Leaves with what the output of pip in file $1 means; $2 is the code where it is nothing known.
pip_failed() {
    if grep -q 'No space left on device' "$1"; then leave 4 no-space "$(last_words "$1")"; fi
    if grep -q -E 'connection broken by|Could not fetch URL|HTTP error 5|HTTP error 429|5[0-9][0-9] (Server|Client) Error|Max retries exceeded|ReadTimeout|Connection(Error|Reset)' "$1"; then
        leave 75 source-unreachable "$(last_words "$1")"
    fi
    if grep -q -E 'No matching distribution found|Could not find a version' "$1"; then leave 4 fix-not-offered "$(last_words "$1")"; fi
    if grep -q -E 'ResolutionImpossible|conflicting dependencies' "$1"; then leave 4 transaction-impossible "$(last_words "$1")"; fi
    leave 4 "$2" "$(last_words "$1")"
}

# Asks pip what installing $targets would do: lines `NAME OLD NEW` in $work/changes. Leaves if it cannot be done, or if
# something that is installed would no longer fit: pip itself would say that only behind it.
predict() {
    # shellcheck disable=SC2086 # words of a checked character set
    if ! pip install --dry-run --quiet --upgrade --upgrade-strategy only-if-needed --report - -- $targets >"$work/report" 2>"$work/said"; then
        cat "$work/said"
        if grep -q 'no such option' "$work/said"; then
            leave 4 pip-too-old "$(pip --version 2>&1 | cut -d ' ' -f 1-2) cannot tell what it would do: 22.2 can"
        fi
        pip_failed "$work/said" package-broken
    fi
    as_owner "$python" -I - 3<"$work/report" >"$work/plan" 2>"$work/said" <<'PY' || leave 4 transaction-impossible "$(last_words "$work/said")"
import json, os
from importlib import metadata
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

with os.fdopen(3) as report:
    new = {canonicalize_name(i["metadata"]["name"]): i["metadata"]["version"] for i in json.load(report)["install"]}
old = {canonicalize_name(d.metadata["Name"]): d for d in metadata.distributions() if d.metadata["Name"]}
for name, version in sorted(new.items()):
    print("change", name, old[name].version if name in old else "-", version)
for name, distribution in sorted(old.items()):
    for line in distribution.requires or [] if name not in new else []:
        requirement = Requirement(line)
        needed = canonicalize_name(requirement.name)
        if needed not in new or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        fits = lambda version: requirement.specifier.contains(version, prereleases=True)
        if not fits(new[needed]) and (needed not in old or fits(old[needed].version)):
            print("conflict", f"{name} {distribution.version} requires {requirement}, it would get {new[needed]}")
PY
    sed -n 's/^change //p' "$work/plan" >"$work/changes"
    conflict=$(sed -n 's/^conflict //p' "$work/plan" | paste -s -d ';' | one_line)
    [ -z "$conflict" ] || leave 4 transaction-impossible "$conflict"
}
