#!/usr/bin/env bash
# Upgrade a self-hosted CockroachDB cluster node by node. guard is asked before the first node, before
# every further node and before the finalization; without its ALLOW the script stops. It can be run
# again at any time: it goes on where it stopped, and nodes that run the target are left alone.
#
#   export COCKROACH_CERTS_DIR=/etc/cockroach/certs        # or COCKROACH_INSECURE=true
#   TARGET=v21.2.17 HOSTS="db1:26257 db2:26257 db3:26257" ./rolling-upgrade.sh
#   FINALIZE=yes TARGET=v21.2.17 HOSTS="db1:26257 db2:26257 db3:26257" ./rolling-upgrade.sh
#
# It leaves with 0 when everything asked for is done, 10 when guard says BLOCK, 11 when guard could
# not establish what it needs (UNKNOWN is no permission), another number on any other failure.
set -euo pipefail

: "${TARGET:?the build to move to, such as v21.2.17}"
: "${HOSTS:?the nodes, in the order of their restart, as HOST:PORT}"
FINALIZE=${FINALIZE:-no}             # yes: finalize at the end, which ends the way back
WAIT=${WAIT:-60m}                    # how long guard waits for what waiting can clear, a backup say
SETTLE=${SETTLE:-15s}                # ALLOW has to hold that long: a node that died just now still
                                     # passes for live until its liveness record runs out, after 9 s
START_SECONDS=${START_SECONDS:-300}  # how long a restarted node may take to answer
DB_USER=${DB_USER:-root}             # guard's user; root also makes the changes of settings
GUARD=${GUARD:-guard}
COCKROACH=${COCKROACH:-cockroach}    # for SQL only; what the nodes run is up to the hooks
read -r -a hosts <<<"$HOSTS"
read -r -a guard_options <<<"${GUARD_OPTIONS:-}"   # more for guard check: --window 1h, for example

# --- hooks: how a node is stopped, given the new binary, and started ---------------------------
# Change these, or put functions of the same names into a file and name it in HOOKS. Each is called
# with HOST:PORT and has to fail if it did not do its work. Stopping has to be graceful (SIGTERM, so
# that the node drains), and give the node the time it needs.

stop_node()      { ssh "${1%:*}" sudo systemctl stop cockroach; }
install_binary() { ssh "${1%:*}" sudo install "/opt/cockroach/$TARGET/cockroach" /usr/local/bin/; }
start_node()     { ssh "${1%:*}" sudo systemctl start cockroach; }

# shellcheck source=/dev/null
[[ -z ${HOOKS:-} ]] || source "$HOOKS"

# --- helpers -----------------------------------------------------------------------------------

say() { printf '%s  %s\n' "$(date -u +%H:%M:%SZ)" "$*" >&2; }
die() { say "$2"; exit "$1"; }

sql() {  # HOST:PORT STATEMENT: its one value
    "$COCKROACH" sql --host="$1" --user=root --format=tsv --execute="$2" | tail -n +2
}

runs_target() {  # does this node answer, with the target's build?
    local answer
    answer=$(sql "$1" 'SELECT version()' 2>/dev/null) && [[ $answer == *" $TARGET "* ]]
}

url_through() {  # one URL for all nodes, this one first
    local others=("$1") host
    for host in "${hosts[@]}"; do [[ $host == "$1" ]] || others+=("$host"); done
    local IFS=,
    printf 'postgresql://%s@%s/system\n' "$DB_USER" "${others[*]}"
}

gate() {  # HOST:PORT STEP [OPTION...]: come back only with guard's ALLOW
    local url code=0
    url=$(url_through "$1")
    "$GUARD" check --url "$url" --step "$2" --target "$TARGET" --wait "$WAIT" \
        --settle "$SETTLE" "${guard_options[@]}" "${@:3}" || code=$?
    case $code in
        0) ;;
        10) die 10 "BLOCK before $2: see above. Do what it says, then run this script again." ;;
        11) die 11 "UNKNOWN before $2: guard could not see enough, which is no permission." ;;
        12) die 12 "warnings before $2, and --fail-on warn was given." ;;
        *) die "$code" "guard check failed with exit code $code." ;;
    esac
}

await_target() {  # until the node answers with the new build
    local deadline=$((SECONDS + START_SECONDS))
    until runs_target "$1"; do
        ((SECONDS < deadline)) || die 1 "$1 does not answer with $TARGET after $START_SECONDS s."
        sleep 1
    done
}

# --- the upgrade -------------------------------------------------------------------------------

under_way=no
for host in "${hosts[@]}"; do
    if runs_target "$host"; then under_way=yes; fi
done
[[ $under_way == yes ]] || gate "${hosts[0]}" start

version=$(sql "${hosts[0]}" 'SHOW CLUSTER SETTING version')
series=${TARGET#v} series=${series%.*}
major=no
if [[ $version != "$series" ]]; then
    major=yes
    if [[ $under_way == no ]]; then
        # Without it the last restart finalizes by itself.
        sql "${hosts[0]}" "SET CLUSTER SETTING cluster.preserve_downgrade_option = '$version'"
    fi
fi

for host in "${hosts[@]}"; do
    if runs_target "$host"; then
        say "$host runs $TARGET already"
        continue
    fi
    # Asked through the node itself: it still runs the old build, which knows the old settings.
    through=$host
    if [[ $version == 20.1 ]]; then
        # But v20.1 knows no backup schedules, and the nodes on v20.2 may have some: ask one of those.
        for other in "${hosts[@]}"; do
            if runs_target "$other"; then through=$other; fi
        done
    fi
    node=$(sql "$host" 'SHOW node_id') && [[ -n $node ]] || die 11 "$host does not answer: is it down?"
    gate "$through" next-node --node "$node"
    say "$host: restarting on $TARGET"
    stop_node "$host"
    install_binary "$host"
    start_node "$host"
    await_target "$host"
done

if [[ $major == yes ]]; then
    gate "${hosts[0]}" finalize
    if [[ $FINALIZE != yes ]]; then
        say "Every node runs $TARGET. The way back is open: guard check --step rollback."
        say "When you are sure, run this script again with FINALIZE=yes."
        exit 0
    fi
    say "finalizing"
    sql "${hosts[0]}" 'RESET CLUSTER SETTING cluster.preserve_downgrade_option'
    # It begins within a minute; SHOW waits until memory and store agree.
    deadline=$((SECONDS + START_SECONDS))
    until [[ $(sql "${hosts[0]}" 'SHOW CLUSTER SETTING version') == "$series" ]]; do
        ((SECONDS < deadline)) || die 1 "not final after $START_SECONDS s; see SHOW JOBS and cluster.auto_upgrade.enabled."
        sleep 2
    done
fi
gate "${hosts[0]}" verify
say "done: the cluster runs $TARGET"
