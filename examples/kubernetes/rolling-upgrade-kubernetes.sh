#!/usr/bin/env bash
# Upgrade a CockroachDB StatefulSet pod by pod, by its update partition: with plain manifests, or with
# the Helm chart and helm-hooks.sh. guard is asked before the first pod, before every further pod and
# before the finalization; without its ALLOW the partition stays where it is, and no further pod moves.
# It can be run again at any time: it goes on where it stopped.
#
#   TARGET=v21.2.17 STATEFULSET=cockroachdb ./rolling-upgrade-kubernetes.sh
#   FINALIZE=yes TARGET=v21.2.17 STATEFULSET=cockroachdb ./rolling-upgrade-kubernetes.sh
#
# A pod that does not answer in time with the new build gets its old image back: the partition is
# raised above it and the pod deleted, as Kubernetes does not replace a pod that never became ready.
#
# It leaves with
#    0  everything asked for is done
#   10  guard says BLOCK
#   11  guard could not establish what it needs (UNKNOWN), or no pod answers: no permission
#   12  guard warns, and --fail-on warn is among GUARD_OPTIONS
#    2  wrong usage, of this script or of guard
#    1  anything else: kubectl failed, a pod did not come back, a statement failed or took too long
#  129, 130, 143  a signal ended it; Kubernetes finishes the pod that is under way and moves no other
set -euo pipefail

say() { printf '%s  %s\n' "$(date -u +%H:%M:%SZ)" "$*" >&2; }
die() { say "$2"; exit "$1"; }

[[ -n ${TARGET:-} ]] || die 2 "TARGET is not set: the build to move to, such as v21.2.17"
[[ $TARGET =~ ^v([0-9]+\.[0-9]+)\.[0-9] ]] || die 2 "TARGET is no build such as v21.2.17: $TARGET"
series=${BASH_REMATCH[1]}
IMAGE=${IMAGE:-cockroachdb/cockroach:$TARGET}
NAMESPACE=${NAMESPACE:-default}
STATEFULSET=${STATEFULSET:-cockroachdb}
CONTAINER=${CONTAINER:-db}           # cockroachdb in the plain manifests of CockroachDB's documentation
FINALIZE=${FINALIZE:-no}             # yes: finalize at the end, which ends the way back
WAIT=${WAIT:-60m}                    # how long guard waits for what waiting can clear, a backup say
SETTLE=${SETTLE:-15s}                # ALLOW has to hold that long: a node that died just now still
                                     # passes for live until its liveness record runs out, after 9 s
START_SECONDS=${START_SECONDS:-900}  # how long a pod may take to drain, pull the image and answer
SQL_SECONDS=${SQL_SECONDS:-20}       # how long one statement may take
DB_USER=${DB_USER:-root}             # guard's user
GUARD=${GUARD:-guard}
KUBECTL=${KUBECTL:-kubectl}
# How `cockroach sql` in a pod logs in as root: --insecure, or where the client's certificate is.
read -r -a sql_options <<<"${SQL_OPTIONS:---certs-dir=/cockroach/cockroach-certs}"
# More for guard check. Through a port-forward the server's certificate has to name 127.0.0.1.
read -r -a guard_options <<<"${GUARD_OPTIONS:-}"
for program in timeout "$GUARD" "$KUBECTL"; do
    command -v "$program" >/dev/null || die 2 "there is no command $program"
done

kube() {  # bounded in time, whatever it does
    timeout -k 5 "${KUBE_SECONDS:-60}" "$KUBECTL" --namespace="$NAMESPACE" --request-timeout=30s "$@" \
        </dev/null
}

# --- hooks: name a file in HOOKS that defines those that differ for you ------------------------

set_partition() {  # N: pods N and above move to the image of the template, the others stay
    kube patch statefulset "$STATEFULSET" --patch \
        '{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":'"$1"'}}}}'
}

set_image() {  # puts IMAGE into the template, while the partition keeps every pod where it is
    kube set image "statefulset/$STATEFULSET" "$CONTAINER=$IMAGE"
}

run_sql() {  # POD STATEMENT: as tab-separated values
    SQL=$2 KUBE_SECONDS=$SQL_SECONDS kube exec "$1" --container="$CONTAINER" -- \
        cockroach sql "${sql_options[@]}" --format=tsv --execute="$2"
}

ask_guard() {  # POD STEP [OPTION...]: leaves with guard's exit code. In-cluster: see gate.sh
    local forwarding log port="" code=0 deadline=$((SECONDS + 20))
    log=$(mktemp)
    "$KUBECTL" --namespace="$NAMESPACE" port-forward --address=127.0.0.1 "pod/$1" :26257 \
        >"$log" </dev/null &
    forwarding=$!
    until [[ -n $port ]]; do
        port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log" | head -n 1)
        if [[ -z $port ]]; then
            if ! kill -0 "$forwarding" 2>/dev/null || ((SECONDS >= deadline)); then break; fi
            sleep 0.2
        fi
    done
    if [[ -n $port ]]; then
        "$GUARD" check --url "postgresql://$DB_USER@127.0.0.1:$port/system" --step "$2" \
            --target "$TARGET" --wait "$WAIT" --settle "$SETTLE" \
            ${guard_options[@]+"${guard_options[@]}"} "${@:3}" </dev/null || code=$?
    else
        say "no port of $1 could be forwarded"
        code=11
    fi
    kill "$forwarding" 2>/dev/null || true
    wait "$forwarding" 2>/dev/null || true
    rm -f "$log"
    return "$code"
}

if [[ -n ${HOOKS:-} ]]; then
    # shellcheck source=/dev/null
    source "$HOOKS" || die 2 "cannot read the hooks in $HOOKS"
fi

# --- helpers -----------------------------------------------------------------------------------

field() { kube get statefulset "$STATEFULSET" -o "jsonpath={$1}"; }

sql() { run_sql "$@" | tail -n +2; }

build_of() {  # POD: the build with which it answers; fails if it does not answer
    local answer
    answer=$(sql "$1" 'SELECT version()' 2>/dev/null) || return 1
    [[ $answer =~ \ (v[0-9][^ ]*)\  ]] && echo "${BASH_REMATCH[1]}"
}

find_gateway() {  # a pod that answers
    local i
    for ((i = replicas - 1; i >= 0; i--)); do
        if [[ -n $(build_of "$STATEFULSET-$i") ]]; then echo "$STATEFULSET-$i"; return; fi
    done
    die 11 "no pod of $STATEFULSET answers"
}

gate() {  # POD STEP [OPTION...]: come back only with guard's ALLOW
    local code=0
    ask_guard "$@" || code=$?
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

is_ready() {  # POD
    local condition='jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    [[ $(kube get pod "$1" -o "$condition" 2>/dev/null) == True ]]
}

is_upgraded() { is_ready "$1" && [[ $(build_of "$1") == "$TARGET" ]]; }

answers() { [[ -n $(build_of "$1") ]]; }

move() {  # ORDINAL: let Kubernetes move this pod alone
    local pod=$STATEFULSET-$1
    say "$pod: restarting on $IMAGE"
    set_partition "$1" >/dev/null || die 1 "$pod: the partition could not be lowered to $1."
    if await "$START_SECONDS" is_upgraded "$pod"; then return; fi
    say "$pod does not answer with $TARGET after $START_SECONDS s: giving it the old image back"
    set_partition "$(($1 + 1))" >/dev/null || die 1 "$pod: the partition could not be raised again."
    kube delete pod "$pod" --wait=false >/dev/null || die 1 "$pod: it could not be deleted."
    if await "$START_SECONDS" answers "$pod"; then
        say "$pod: it answers again"
    else
        say "$pod: IT DOES NOT ANSWER. The cluster is one node short: mend that before anything else."
    fi
    exit 1
}

# --- the upgrade -------------------------------------------------------------------------------

replicas=$(field .spec.replicas) || die 1 "no StatefulSet $STATEFULSET in namespace $NAMESPACE can be read"
[[ $replicas =~ ^[1-9][0-9]*$ ]] || die 1 "$STATEFULSET has no replicas"
[[ $(field .spec.ordinals.start) =~ ^0?$ ]] || die 2 "$STATEFULSET does not count its pods from 0"
template=$(field ".spec.template.spec.containers[?(@.name==\"$CONTAINER\")].image")
[[ -n $template ]] || die 2 "$STATEFULSET has no container $CONTAINER: set CONTAINER"

gateway="" under_way=no left=0
for ((i = replicas - 1; i >= 0; i--)); do
    build=$(build_of "$STATEFULSET-$i") || build=""
    [[ -z $build || -n $gateway ]] || gateway=$STATEFULSET-$i
    if [[ $build == "$TARGET" ]]; then under_way=yes; else left=$((left + 1)); fi
done
[[ -n $gateway ]] || die 11 "no pod of $STATEFULSET answers"
[[ $under_way == yes ]] || gate "$gateway" start

version=$(sql "$gateway" 'SHOW CLUSTER SETTING version') ||
    die 1 "$gateway does not tell the cluster version."
major=no
[[ $version == "$series" ]] || major=yes
# Without this the last restart finalizes by itself. A version that is none of a release is of a
# cluster that is finalizing: guard says so.
if [[ $major == yes && $left -gt 0 && $version =~ ^[0-9]+\.[0-9]+$ ]]; then
    sql "$gateway" "SET CLUSTER SETTING cluster.preserve_downgrade_option = '$version'" ||
        die 1 "cluster.preserve_downgrade_option could not be set: no pod was touched."
fi
if [[ $template != "$IMAGE" ]]; then
    # In this order: an image that is set first moves every pod the partition does not hold.
    set_partition "$replicas" >/dev/null || die 1 "the partition could not be set: no pod was touched."
    [[ $(field .spec.updateStrategy.rollingUpdate.partition) == "$replicas" ]] ||
        die 1 "the partition is not $replicas: the image is left as it is."
    set_image >/dev/null || die 1 "the image could not be set: no pod was touched."
fi

for ((i = replicas - 1; i >= 0; i--)); do
    pod=$STATEFULSET-$i
    build=$(build_of "$pod") || build=""
    if [[ $build == "$TARGET" ]]; then
        say "$pod runs $TARGET already"
        continue
    fi
    # Whoever set it, nothing moves while guard is asked.
    set_partition "$((i + 1))" >/dev/null || die 1 "the partition could not be set."
    if [[ -n $build ]]; then
        through=$pod
        if [[ $version == 20.1 ]]; then
            # v20.1 knows no backup schedules, and the nodes on v20.2 may have some: ask one of those.
            # Otherwise the pod itself is asked: it runs the old build, which knows the old settings.
            other=$(find_gateway)
            if [[ $(build_of "$other") == "$TARGET" ]]; then through=$other; fi
        fi
        node=$(sql "$pod" 'SHOW node_id') || node=""
    else
        through=$(find_gateway)
        say "$pod does not answer: asking through $through whether it may be started on $TARGET"
        node=$(KUBE_SECONDS=$SQL_SECONDS kube exec "$through" --container="$CONTAINER" -- \
            cockroach node status "${sql_options[@]}" --format=tsv |
            awk -F '\t' -v pod="$pod" '$2 ~ "^" pod "[.:]" { print $1; exit }') || node=""
    fi
    [[ -n $node ]] || die 11 "$pod does not answer, and no node knows it: is it down?"
    gate "$through" next-node --node "$node"
    move "$i"
done
# Those that ran the target already are held by nothing any more: a pod that restarts stays on it.
set_partition 0 >/dev/null || die 1 "the partition could not be set to 0."

gateway=$(find_gateway)
if [[ $major == yes ]]; then
    gate "$gateway" finalize
    if [[ $FINALIZE != yes ]]; then
        say "Every pod runs $TARGET. The way back is open: guard check --step rollback."
        say "When you are sure, run this script again with FINALIZE=yes."
        exit 0
    fi
    say "finalizing"
    sql "$gateway" 'RESET CLUSTER SETTING cluster.preserve_downgrade_option' ||
        die 1 "cluster.preserve_downgrade_option could not be reset."
    is_final() { [[ $(sql "$gateway" 'SHOW CLUSTER SETTING version') == "$series" ]]; }
    await "$START_SECONDS" is_final ||
        die 1 "not final after $START_SECONDS s; see SHOW JOBS and cluster.auto_upgrade.enabled."
fi
gate "$gateway" verify
say "done: the cluster runs $TARGET"
