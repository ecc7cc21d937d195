#!/usr/bin/env bash
# Upgrade a self-hosted CockroachDB cluster node by node. guard is asked before the first node, before
# every further node and before the finalization; without its ALLOW the script stops. It can be run
# again at any time: it goes on where it stopped, and nodes that run the target are left alone.
#
#   export COCKROACH_CERTS_DIR=/etc/cockroach/certs        # or COCKROACH_INSECURE=true
#   TARGET=v21.2.17 HOSTS="db1:26257 db2:26257 db3:26257" ./rolling-upgrade.sh
#   FINALIZE=yes TARGET=v21.2.17 HOSTS="db1:26257 db2:26257 db3:26257" ./rolling-upgrade.sh
#
# The new binary is installed before the node is stopped. If anything fails from then on until the
# node answers with it, a signal included, the old binary is put back and started: a failed upgrade of
# one node does not leave the cluster one node short.
#
# It leaves with
#    0  everything asked for is done
#   10  guard says BLOCK
#   11  guard could not establish what it needs (UNKNOWN), or no node answers: no permission
#   12  guard warns, and --fail-on warn is among GUARD_OPTIONS
#    2  wrong usage, of this script or of guard
#    1  anything else: a hook failed, a node did not come back, a statement failed or took too long
#  129, 130, 143  a signal ended it
set -euo pipefail

say() { printf '%s  %s\n' "$(date -u +%H:%M:%SZ)" "$*" >&2; }
die() { say "$2"; exit "$1"; }

[[ -n ${TARGET:-} ]] || die 2 "TARGET is not set: the build to move to, such as v21.2.17"
[[ -n ${HOSTS:-} ]] || die 2 "HOSTS is not set: the nodes, in the order of their restart, as HOST:PORT"
[[ $TARGET =~ ^v([0-9]+\.[0-9]+)\.[0-9] ]] || die 2 "TARGET is no build such as v21.2.17: $TARGET"
series=${BASH_REMATCH[1]}
FINALIZE=${FINALIZE:-no}             # yes: finalize at the end, which ends the way back
WAIT=${WAIT:-60m}                    # how long guard waits for what waiting can clear, a backup say
SETTLE=${SETTLE:-15s}                # ALLOW has to hold that long: a node that died just now still
                                     # passes for live until its liveness record runs out, after 9 s
START_SECONDS=${START_SECONDS:-300}  # how long a restarted node may take to answer
SQL_SECONDS=${SQL_SECONDS:-15}       # how long one statement may take
PROBE_SECONDS=${PROBE_SECONDS:-5}    # how long a node may take to say what it runs: no disk is read
DB_USER=${DB_USER:-root}             # guard's user; root also makes the changes of settings
GUARD=${GUARD:-guard}
COCKROACH=${COCKROACH:-cockroach}    # for SQL only; what the nodes run is up to the hooks
read -r -a hosts <<<"$HOSTS"
read -r -a guard_options <<<"${GUARD_OPTIONS:-}"   # more for guard check: --window 1h, for example
for program in timeout "$GUARD" "$COCKROACH"; do
    command -v "$program" >/dev/null || die 2 "there is no command $program"
done

# --- hooks: how a node is given the new binary, stopped and started ----------------------------
# Change these, or put functions of the same names into a file and name it in HOOKS. Each is called
# with HOST:PORT in a shell of its own (set -e) and has to fail if it did not do its work.
#   install_binary  gives the node the new binary while it runs on the old one
#   stop_node       stops it gracefully (SIGTERM, so that it drains), and gives it the time it needs
#   start_node      starts the binary that is installed
#   restore_binary  puts back what install_binary replaced; called too if install_binary failed

if [[ -n ${HOOKS:-} ]]; then
    # shellcheck source=/dev/null
    source "$HOOKS" || die 2 "cannot read the hooks in $HOOKS"
    for hook in install_binary stop_node start_node; do
        declare -F "$hook" >/dev/null || die 2 "$HOOKS has no function $hook"
    done
else
    bin=/usr/local/bin/cockroach
    install_binary() {
        # What is kept is what ran before: after a second try that is still not the new binary.
        # shellcheck disable=SC2029  # expanded here, on purpose
        ssh "${1%:*}" "set -e
            new=/opt/cockroach/$TARGET/cockroach
            cmp -s \$new $bin || sudo cp -p $bin $bin.before-$TARGET
            sudo install \$new $bin.new
            sudo mv $bin.new $bin"
    }
    stop_node()  { ssh "${1%:*}" sudo systemctl stop cockroach; }
    start_node() { ssh "${1%:*}" sudo systemctl start cockroach; }
    restore_binary() {
        # shellcheck disable=SC2029
        ssh "${1%:*}" "[ ! -e $bin.before-$TARGET ] || sudo mv $bin.before-$TARGET $bin"
    }
fi

# --- helpers -----------------------------------------------------------------------------------

hook_code=0
run_hook() {  # NAME HOST:PORT: leaves the hook's exit code in hook_code
    # Never call this in a condition: bash would switch off set -e within the hook.
    local strict=$-
    set +e
    (set -e; "$@")
    hook_code=$?
    [[ $strict != *e* ]] || set -e
}

sql() {  # HOST:PORT STATEMENT [SECONDS]: its one value
    timeout -k 5 "${3:-$SQL_SECONDS}" \
        "$COCKROACH" sql --host="$1" --user=root --format=tsv --execute="$2" </dev/null | tail -n +2
}

build_of() {  # HOST:PORT: the build with which the node answers; fails if it does not answer
    local answer
    answer=$(sql "$1" 'SELECT version()' "$PROBE_SECONDS" 2>/dev/null) || return 1
    [[ $answer =~ \ (v[0-9][^ ]*)\  ]] && echo "${BASH_REMATCH[1]}"
}

runs_target() { [[ $(build_of "$1") == "$TARGET" ]]; }

url_through() {  # one URL for all nodes, this one first
    local others=("$1") host
    for host in "${hosts[@]}"; do [[ $host == "$1" ]] || others+=("$host"); done
    local IFS=,
    printf 'postgresql://%s@%s/system\n' "$DB_USER" "${others[*]}"
}

gate() {  # HOST:PORT STEP [OPTION...]: come back only with guard's ALLOW
    local url code=0
    url=$(url_through "$1")
    "$GUARD" check --url "$url" --step "$2" --target "$TARGET" --wait "$WAIT" --settle "$SETTLE" \
        ${guard_options[@]+"${guard_options[@]}"} "${@:3}" </dev/null || code=$?
    case $code in
        0) ;;
        10) die 10 "BLOCK before $2: see above. Do what it says, then run this script again." ;;
        11) die 11 "UNKNOWN before $2: guard could not see enough, which is no permission." ;;
        12) die 12 "warnings before $2, and --fail-on warn was given." ;;
        2 | 129 | 130 | 143) die "$code" "guard check ended with $code before $2: no verdict." ;;
        *) die 1 "guard check failed with exit code $code before $2: no verdict." ;;
    esac
}

await() {  # SECONDS COMMAND...: until the command succeeds; fails when the time is up
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

find_gateway() {  # the first node that answers, which is not always the first of HOSTS
    local host
    for host in "${hosts[@]}"; do
        if [[ -n $(build_of "$host") ]]; then echo "$host"; return; fi
    done
    die 11 "no node answers: $HOSTS"
}

id_of_lost() {  # HOST:PORT GATEWAY: the node id of one that does not answer; empty if nobody knows it
    timeout -k 5 "$SQL_SECONDS" "$COCKROACH" node status --host="$2" --format=tsv </dev/null |
        awk -F '\t' -v host="$1" '$2 == host || $3 == host { print $1; exit }'
}

# --- one node ----------------------------------------------------------------------------------

in_hand=""  # the node between its old and its new binary
stopped=no  # whether it has been told to stop

go_back() {  # leave no node behind that has been stopped: start it again on what it ran before
    local code=$? host=$in_hand
    trap - EXIT
    [[ -n $host ]] || exit "$code"
    set +e
    trap : HUP INT TERM  # now of all times it must not be left half-way
    say "$host: going back to the binary it had"
    if [[ $stopped == yes ]]; then
        run_hook stop_node "$host"  # whatever was started; it may well be down already
    fi
    if declare -F restore_binary >/dev/null; then
        run_hook restore_binary "$host"
        ((hook_code == 0)) || say "$host: restore_binary failed with $hook_code: LOOK WHICH BINARY IS THERE."
    else
        say "$host: there is no restore_binary: it keeps the binary that is installed now"
    fi
    if [[ $stopped == yes ]]; then
        run_hook start_node "$host"
        ((hook_code == 0)) || say "$host: start_node failed with $hook_code."
        if await "$START_SECONDS" build_of "$host" >/dev/null; then
            say "$host: it answers again"
        else
            say "$host: IT DOES NOT ANSWER. The cluster is one node short: start it before anything else."
        fi
    fi
    exit "$code"
}
trap go_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

upgrade_node() {  # HOST:PORT BUILD, the build it runs or nothing if it does not answer
    in_hand=$1 stopped=no
    say "$1: installing $TARGET"
    run_hook install_binary "$1"
    ((hook_code == 0)) || die 1 "$1: install_binary failed with $hook_code; the node was not stopped."
    say "$1: restarting on $TARGET"
    stopped=yes
    run_hook stop_node "$1"
    # A node that is down may have nothing left to stop.
    ((hook_code == 0)) || [[ -z $2 ]] || die 1 "$1: stop_node failed with $hook_code."
    run_hook start_node "$1"
    ((hook_code == 0)) || die 1 "$1: start_node failed with $hook_code."
    await "$START_SECONDS" runs_target "$1" ||
        die 1 "$1 does not answer with $TARGET after $START_SECONDS s."
    in_hand=""
}

# --- the upgrade -------------------------------------------------------------------------------

gateway="" under_way=no left=0
for host in "${hosts[@]}"; do
    build=$(build_of "$host") || build=""
    [[ -z $build || -n $gateway ]] || gateway=$host
    if [[ $build == "$TARGET" ]]; then under_way=yes; else left=$((left + 1)); fi
done
[[ -n $gateway ]] || die 11 "no node answers: $HOSTS"
[[ $under_way == yes ]] || gate "$gateway" start

version=$(sql "$gateway" 'SHOW CLUSTER SETTING version') ||
    die 1 "$gateway does not tell the cluster version."
major=no
[[ $version == "$series" ]] || major=yes
# Without this the last restart finalizes by itself. A version that is none of a release is of a
# cluster that is finalizing: guard says so.
if [[ $major == yes && $left -gt 0 && $version =~ ^[0-9]+\.[0-9]+$ ]]; then
    sql "$gateway" "SET CLUSTER SETTING cluster.preserve_downgrade_option = '$version'" ||
        die 1 "cluster.preserve_downgrade_option could not be set: no node was touched."
fi

for host in "${hosts[@]}"; do
    build=$(build_of "$host") || build=""
    if [[ $build == "$TARGET" ]]; then
        say "$host runs $TARGET already"
        continue
    fi
    if [[ -n $build ]]; then
        through=$host
        if [[ $version == 20.1 ]]; then
            # v20.1 knows no backup schedules, and the nodes on v20.2 may have some: ask one of those.
            # Otherwise the node itself is asked: it runs the old build, which knows the old settings.
            for other in "${hosts[@]}"; do
                if runs_target "$other"; then through=$other; fi
            done
        fi
        node=$(sql "$host" 'SHOW node_id') || node=""
    else
        through=$(find_gateway)
        say "$host does not answer: asking through $through whether it may be started on $TARGET"
        node=$(id_of_lost "$host" "$through") || node=""
    fi
    [[ -n $node ]] || die 11 "$host does not answer, and no node knows it by this address: is it down?"
    gate "$through" next-node --node "$node"
    upgrade_node "$host" "$build"
done

gateway=$(find_gateway)
if [[ $major == yes ]]; then
    gate "$gateway" finalize
    if [[ $FINALIZE != yes ]]; then
        say "Every node runs $TARGET. The way back is open: guard check --step rollback."
        say "When you are sure, run this script again with FINALIZE=yes."
        exit 0
    fi
    say "finalizing"
    sql "$gateway" 'RESET CLUSTER SETTING cluster.preserve_downgrade_option' ||
        die 1 "cluster.preserve_downgrade_option could not be reset."
    # It begins within a minute; SHOW waits until memory and store agree.
    is_final() { [[ $(sql "$gateway" 'SHOW CLUSTER SETTING version') == "$series" ]]; }
    await "$START_SECONDS" is_final ||
        die 1 "not final after $START_SECONDS s; see SHOW JOBS and cluster.auto_upgrade.enabled."
fi
gate "$gateway" verify
say "done: the cluster runs $TARGET"
