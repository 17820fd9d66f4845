# What the scripts of npm share. FOLDER is a project with package.json and a lock file of npm's. REGISTRY is the URL of the
# registry where it is not what npm's own configuration says; BIN is the folder of node and npm where they are not in the
# usual ones.

find_application() {
    find_owner
    [ -z "${BIN:-}" ] || PATH=$BIN:$PATH
    npm=$(command -v npm) && command -v node >/dev/null || leave 4 no-npm 'there is no node or no npm on this host: the label npm_bin names their folder'
    [ -f "$FOLDER/package.json" ] || leave 4 no-project "there is no package.json in $FOLDER"
    lock=package-lock.json
    [ ! -f "$FOLDER/npm-shrinkwrap.json" ] || lock='npm-shrinkwrap.json'
    [ -f "$FOLDER/$lock" ] || leave 4 no-lock-file "there is no lock file of npm's in $FOLDER"
    [ -d "$FOLDER/node_modules" ] || leave 4 not-installed "there is no node_modules in $FOLDER"
    [ -z "${REGISTRY:-}" ] || export "npm_config_registry=$REGISTRY"
    npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_progress=false
    npm_config_color=false npm_config_fetch_retries=1 npm_config_fetch_retry_mintimeout=2000 npm_config_fetch_timeout=20000
    export npm_config_audit npm_config_fund npm_config_update_notifier npm_config_progress
    export npm_config_color npm_config_fetch_retries npm_config_fetch_retry_mintimeout npm_config_fetch_timeout
    ask project "$FOLDER" >"$work/project" 2>"$work/said" || leave 4 no-project "$(last_words "$work/said")"
    ! grep -qx workspaces "$work/project" || leave 4 workspaces "$FOLDER has workspaces: a person must"
    # What was left out when the project was installed is not brought in by a fix.
    omit=
    ! grep -qx omit-dev "$work/project" || omit=--omit=dev
}

# Questions to the folders of a project, in the language that surely is there.
#   project FOLDER          `workspaces` and `omit-dev`, where they hold
#   installed FOLDER        a line `PLACE NAME VERSION` for each package in node_modules
#   states FOLDER SPEC...   a line `STATE NAME LOWEST WANTED KIND`: absent, behind or fine; direct or indirect
#   planned FOLDER SPEC...  the same of what its lock file says
#   changes FOLDER STAGE    a line `NAME OLD NEW` for each place that is not yet as the lock file of STAGE says
ask() {
    as_owner node - "$npm" "$lock" "${omit:-}" "$@" <<'JS'
const fs = require("fs");
const path = require("path");
const [npm, lockName, omit, question, folder, ...rest] = process.argv.slice(2);
const semver = require("module").createRequire(fs.realpathSync(npm))("semver");
const read = (...parts) => JSON.parse(fs.readFileSync(path.join(...parts), "utf8"));
const say = (...words) => console.log(words.join(" "));
const nameAt = (place) => place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);

function locked(of) {
    const packages = read(of, lockName).packages;
    if (!packages) throw new Error(`the lock file in ${of} is of an npm older than 7: npm install --package-lock-only`);
    return Object.entries(packages).filter(([place, entry]) => place.includes("node_modules/") && !entry.link)
        .map(([place, entry]) => ({ place, name: entry.name ?? nameAt(place), version: entry.version, dev: entry.dev || entry.devOptional, optional: entry.optional || entry.devOptional }));
}

function installed(under, place = "") {
    const found = [];
    const modules = path.join(under, place, "node_modules");
    for (const entry of fs.existsSync(modules) ? fs.readdirSync(modules, { withFileTypes: true }) : []) {
        if (!entry.isDirectory() || entry.name.startsWith(".")) continue;
        const scoped = entry.name.startsWith("@");
        for (const name of scoped ? fs.readdirSync(path.join(modules, entry.name)).map((n) => `${entry.name}/${n}`) : [entry.name]) {
            const at = path.posix.join(place, "node_modules", name);
            if (!fs.existsSync(path.join(under, at, "package.json"))) continue;
            const about = read(under, at, "package.json");
            found.push({ place: at, name: about.name ?? name, version: about.version ?? "0.0.0" }, ...installed(under, at));
        }
    }
    return found;
}

function states(packages) {
    const project = read(folder, "package.json");
    const direct = { ...project.dependencies, ...project.devDependencies, ...project.optionalDependencies };
    const wanted = new Map();
    for (const spec of rest) {
        const [name, version] = spec.split("=");
        if (version && !semver.valid(version)) throw new Error(`${version} is no version`);
        const known = wanted.get(name);
        wanted.set(name, known && version && semver.gt(known, version) ? known : version ?? known);
    }
    for (const [name, version] of [...wanted].sort()) {
        const all = packages.filter((p) => p.name === name && semver.valid(p.version)).map((p) => p.version).sort(semver.compare);
        const state = !all.length ? "absent" : version && semver.gte(all[0], version) ? "fine" : "behind";
        say(state, name, all[0] ?? "-", version ?? "-", name in direct ? "direct" : "indirect");
    }
}

if (question === "project") {
    if (read(folder, "package.json").workspaces) say("workspaces");
    const dev = locked(folder).filter((p) => p.dev);
    if (dev.length && !dev.some((p) => fs.existsSync(path.join(folder, p.place)))) say("omit-dev");
} else if (question === "installed") {
    for (const p of installed(folder)) say(p.place, p.name, p.version);
} else if (question === "states") {
    states(installed(folder));
} else if (question === "planned") {
    states(locked(folder).filter((p) => !omit || !p.dev));
} else {
    // What is not there and need not be (for another system, for development) will not be there either.
    const here = new Map(installed(folder).map((p) => [p.place, p.version]));
    const planned = locked(rest[0]).filter((p) => here.has(p.place) || !(p.optional || (omit && p.dev)));
    const then = new Map(planned.map((p) => [p.place, p.version]));
    for (const place of [...new Set([...here.keys(), ...then.keys()])].sort()) {
        const [before, after] = [here.get(place) ?? "-", then.get(place) ?? "-"];
        if (before !== after) say(nameAt(place), before, after);
    }
}
JS
}

in_folder() {
    (cd "$1" && shift && as_owner "$@")
}

# Digest of all packages, their versions, and of the files that say which are wanted.
packages_digest() {
    { ask installed "$FOLDER" | sort; cat "$FOLDER/package.json" "$FOLDER/$lock"; } 2>/dev/null | sha256sum | cut -d ' ' -f 1
}

# What does not fit together, in npm's words without versions, sorted.
conflicts() {
    in_folder "$FOLDER" npm ls --all --json ${omit:+"$omit"} 2>/dev/null >"$work/tree"
    # shellcheck disable=SC2016 # a text of JavaScript
    as_owner node -e 'for (const p of JSON.parse(require("fs").readFileSync(0, "utf8")).problems ?? [])
        console.log(p.replaceAll(";", ",").replace(/^(\w+: (?:@[^@/ ]+\/)?[^@ ]+)@.*?(, required by (?:@[^@/ ]+\/)?[^@ ]+)?(@.*)?$/, "$1$2"))' \
        <"$work/tree" 2>/dev/null | sort -u
}

# Sets `targets` (NAME=VERSION, or NAME) to what is still to be brought up, from `states`.
find_targets() {
    ask states "$FOLDER" "$@" >"$work/states" 2>"$work/said" || leave 4 invalid-version "$(last_words "$work/said")"
    absent=$(awk '$1 == "absent" { print $2 }' "$work/states" | words)
    # What was found must be somewhere else: calling it fixed because it is not here would be wrong.
    [ -z "$absent" ] || leave 4 not-installed "not installed in $FOLDER: $absent"
    targets=$(awk '$1 == "behind" { print $2 ($4 == "-" ? "" : "=" $4) }' "$work/states" | words)
}

# Leaves with what the output of npm in file $1 means; $2 is the code where it is nothing known.
npm_failed() {
    code=$(sed -n -e 's/^npm \(ERR!\|error\) code \([A-Z0-9_]*\).*/\2/p' "$1" | head -n 1)
    case $code in
        ENOSPC) leave 4 no-space "$(last_words "$1")" ;;
        ECONN* | ENOTFOUND | ETIMEDOUT | EAI_AGAIN | ERR_SOCKET* | E5[0-9][0-9] | E429 | EHOSTUNREACH | ENETUNREACH | FETCH_ERROR)
            leave 75 source-unreachable "$(last_words "$1")"
            ;;
        ETARGET | E404 | ENOVERSIONS) leave 4 fix-not-offered "$(last_words "$1")" ;;
        ERESOLVE | EBADENGINE | EBADPLATFORM | EOVERRIDE) leave 4 transaction-impossible "$(last_words "$1")" ;;
        EINTEGRITY | TAR_BAD_ARCHIVE | Z_BUF_ERROR | Z_DATA_ERROR) leave 4 package-broken "$(last_words "$1")" ;;
    esac
    leave 4 "$2" "$(last_words "$1")"
}

# Lets npm resolve $targets in a copy of what the project wants, in $stage: lines `NAME OLD NEW` in $work/changes. A direct
# dependency is set to the wanted version; every other instance may only move within what its dependents allow, and where
# that is not enough a person must decide.
predict() {
    make_stage
    for file in package.json "$lock" .npmrc; do
        [ ! -f "$FOLDER/$file" ] || as_owner cp -- "$FOLDER/$file" "$stage/$file" || leave 4 no-space "cannot copy $FOLDER/$file"
    done
    direct=$(awk '$1 == "behind" && $4 != "-" && $5 == "direct" { print $2 "@" $4 }' "$work/states" | words)
    names=$(awk '$1 == "behind" { print $2 }' "$work/states" | words)
    # shellcheck disable=SC2086 # words of a checked character set
    if [ -n "$direct" ]; then
        in_folder "$stage" npm install --package-lock-only --ignore-scripts --save-exact -- $direct >"$work/said" 2>&1 ||
            { cat "$work/said"; npm_failed "$work/said" transaction-impossible; }
    fi
    # shellcheck disable=SC2086 # words of a checked character set
    in_folder "$stage" npm update --package-lock-only --ignore-scripts -- $names >"$work/said" 2>&1 ||
        { cat "$work/said"; npm_failed "$work/said" transaction-impossible; }
    # shellcheck disable=SC2086 # words of a checked character set
    ask planned "$stage" $targets >"$work/planned" 2>"$work/said" || leave 4 transaction-impossible "$(last_words "$work/said")"
    short=$(awk '$1 == "behind" && $4 != "-" { print $2 " would be " $3 ", not " $4 " (" $5 ");" }' "$work/planned" | one_line)
    [ -z "$short" ] || leave 4 transaction-incomplete "what depends on it does not allow more: $short"
    ask changes "$FOLDER" "$stage" >"$work/changes" 2>"$work/said" || leave 4 transaction-impossible "$(last_words "$work/said")"
}
