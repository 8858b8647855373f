# What scripts/dependencies, scripts/run and tests/run share. Sourced, not run; who sources it has set top.
# shellcheck shell=bash disable=SC2034,SC2154

fail() {
    printf 'rxtrack: %s\n' "$*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

# PostgreSQL refuses to run as root: there, servers run as the user postgres.
# Sets as_server, a prefix that becomes the command it is given (so that $! is its id).
find_server_user() {
    as_server=(env)
    server_user=$(id -un)
    if [ "$(id -u)" = 0 ]; then
        server_user=postgres
        id -u postgres >/dev/null 2>&1 ||
            fail "root may not run PostgreSQL, and there is no user postgres to run it as"
        as_server=(setpriv --reuid=postgres --regid=postgres --init-groups --)
    fi
}

# Sets bindir, and stage_setting: that by which the server finds an extension in a directory of ours.
find_postgresql() {
    bindir=$("${PG_CONFIG:-pg_config}" --bindir) || fail "no ${PG_CONFIG:-pg_config}; set PG_CONFIG"
    [ -x "$bindir/postgres" ] || fail "no PostgreSQL server in $bindir; set PG_CONFIG"
    # From a directory that the server's user can enter.
    stage_setting=$(cd / && "${as_server[@]}" "$bindir/postgres" --describe-config |
        grep -o -E '^extension_(destdir|control_path)' | tail -n 1) ||
        fail "$bindir/postgres has neither extension_destdir (Debian's packages up to 17) nor extension_control_path (18)"
}

# stage_conf DIR: the lines of postgresql.conf by which a server finds the installation in DIR. What is preloaded is found
# by dynamic_library_path, and all of the library where there is extension_control_path.
stage_conf() {
    case $stage_setting in
        extension_destdir) say "extension_destdir = $(conf_quote "$1")" ;;
        extension_control_path) say "extension_control_path = $(conf_quote "$1$("$PG_CONFIG" --sharedir):\$system")" ;;
    esac
    say "dynamic_library_path = $(conf_quote "$1$("$PG_CONFIG" --pkglibdir):\$libdir")"
}

# What the environment says about other servers and gateways is not about ours.
forget_other_servers() {
    local name
    for name in "${!PG@}" "${!RXTRACK_@}"; do
        [[ $name == PG_* ]] || unset "$name" # PG_CONFIG and PG_TEST_... are not libpq's
    done
}

# stage_rxtrack DIR: replaces DIR, a directory of the server's user, by an installation of this build:
# the extension for stage_conf, the gateway as DIR/rxtrack-gateway, DIR/rxtrack-listen.
stage_rxtrack() {
    local made gateway=${GATEWAY_BINARY:-$top/gateway/build/rxtrack-gateway}
    made=$(mktemp -d)
    (
        umask 022
        make -s -C "$top/extension" install DESTDIR="$made" >/dev/null
        install -m 755 "$gateway" "$made/rxtrack-gateway"
        install -m 755 "${gateway%/*}/rxtrack-listen" "$made/rxtrack-listen"
    ) || { rm -rf "$made"; fail "could not stage the build"; }
    chmod 755 "$made"
    "${as_server[@]}" rm -rf "$1"
    tar -C "$made" -c . | unpack "$1"
    rm -rf "$made"
}

# Unpacks a tar stream into a new directory of the server's user.
unpack() {
    "${as_server[@]}" mkdir "$1"
    "${as_server[@]}" tar -C "$1" -x --no-same-owner
}

# The path as a part of a URI.
percent_encode() {
    local LC_ALL=C i char
    for ((i = 0; i < ${#1}; i++)); do
        char=${1:i:1}
        case $char in
            [a-zA-Z0-9._~-]) printf '%s' "$char" ;;
            *) printf '%%%02X' "$(($(printf '%d' "'$char") & 255))" ;;
        esac
    done
}

# The text as a quoted value of a libpq connection string.
conninfo_quote() {
    local value=${1//\\/\\\\}
    printf "'%s'" "${value//\'/\\\'}"
}

# The text as a quoted value in postgresql.conf.
conf_quote() {
    printf "'%s'" "${1//\'/\'\'}"
}
