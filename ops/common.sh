# Sourced by ./bitcache and the scripts in ops/: finding .NET, building, and leaving no process behind.
# shellcheck shell=bash
set -euo pipefail

dotnet=  # the .NET to use, found by find_dotnet or build_if_changed
program= # what build_if_changed built

say() { printf 'bitcache: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# Runs a command as a process group of its own. Whatever ends this script (Ctrl-C, a signal, an error) or the
# command itself, nothing of the group stays behind.
group=
end_group() {
    [[ -z $group ]] || kill -KILL -- "-$group" 2>/dev/null || true
    group=
}
trap end_group EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
run() {
    local status=0
    set -m
    "$@" </dev/null &
    group=$!
    set +m
    wait "$group" || status=$?
    end_group
    return "$status"
}

# Installs Debian packages, or says how.
install_packages() {
    local as_root=()
    if [[ $(id -u) != 0 ]]; then as_root=(sudo); fi
    if ! command -v apt-get >/dev/null || { ((${#as_root[@]})) && ! command -v sudo >/dev/null; }; then
        fail "This needs $*. As root: apt-get install $*"
    fi
    say "installing $* ..."
    if ! "${as_root[@]}" apt-get -qq update ||
        ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null; then
        fail "This needs $*, which apt-get could not install."
    fi
}

# Whether there is a PostgreSQL server that can be started.
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

# Sets $dotnet to a .NET that has an SDK 10: of PATH, or where Microsoft's install script puts it.
find_dotnet() {
    local candidate
    for candidate in "$(command -v dotnet || true)" "$HOME/.dotnet/dotnet"; do
        if [[ -x $candidate ]] && "$candidate" --list-sdks | grep -q '^10\.'; then
            dotnet=$candidate
            return
        fi
    done
    say "The .NET SDK 10 is needed to build this. Install it in one of these ways, then try again:"
    say "  your system's package dotnet-sdk-10.0, or https://dotnet.microsoft.com/download/dotnet/10.0, or"
    say "  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0    (into ~/.dotnet, where it is found)"
    exit 1
}

# Programs that .NET's own launchers start must find the same .NET.
use_dotnet() {
    if [[ $dotnet == "$HOME/.dotnet/dotnet" ]]; then export DOTNET_ROOT=$HOME/.dotnet PATH="$HOME/.dotnet:$PATH"; fi
    export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
}

# One build at a time in this source folder: who comes later waits here.
lock_builds() {
    mkdir -p "$BITCACHE_ROOT/artifacts"
    exec 8>"$BITCACHE_ROOT/artifacts/build.lock"
    if command -v flock >/dev/null; then flock 8; fi
}
unlock_builds() { exec 8>&-; }

# Builds a project or solution in Release; what the compiler says is shown only if it fails.
# Without build servers, which would outlive us.
dotnet_build() {
    local log=$BITCACHE_ROOT/artifacts/build.log
    if ! run "$dotnet" build "$BITCACHE_ROOT/$1" -c Release --nologo -v q -clp:NoSummary --disable-build-servers >"$log" 2>&1 8>&-; then
        cat "$log" >&2
        return 1
    fi
}

# Whether the cluster's packages restore here; says which it is. A registry may lack them, or there is none to ask.
cluster_joins() {
    local log=$BITCACHE_ROOT/artifacts/cluster-restore.log version
    version=$(sed -n 's/.*"Microsoft\.Orleans\.Server" Version="\([^"]*\)".*/\1/p' "$BITCACHE_ROOT/Directory.Packages.props")
    if run timeout --foreground 60 "$dotnet" restore "$BITCACHE_ROOT/tests/Bitcache.Cluster.Tests" --nologo -v q --disable-build-servers >"$log" 2>&1 8>&-; then
        say "cluster: Orleans $version restores here, it is built and tested"
    else
        say "cluster: Orleans $version does not restore here, the cluster is left out ($log)"
        return 1
    fi
}

# Builds a project if a source is newer than its last build, and sets $program to what was built.
# The stamp holds the .NET that built it.
build_if_changed() {
    local project=$1 assembly=$2 name stamp
    name=$(basename "$project")
    stamp=$BITCACHE_ROOT/artifacts/$name.stamp
    program=$BITCACHE_ROOT/artifacts/bin/$name/release/$assembly.dll
    if ! is_fresh "$stamp"; then
        lock_builds
        # Somebody may have built it while we waited.
        if ! is_fresh "$stamp"; then
            find_dotnet
            use_dotnet
            say "building $name ..."
            # Dated before the build: what is edited meanwhile is newer.
            echo "$dotnet" >"$stamp.new"
            dotnet_build "$project" || fail "$name does not build."
            mv "$stamp.new" "$stamp"
        fi
        unlock_builds
    fi
    dotnet=$(<"$stamp")
    use_dotnet
}

is_fresh() {
    [[ -f $1 && -f $program && -x $(<"$1") ]] &&
        [[ -z $(cd "$BITCACHE_ROOT" && find src benchmarks ./*.props global.json BannedSymbols.txt .editorconfig -newer "$1" -print -quit) ]]
}
