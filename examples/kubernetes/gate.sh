#!/usr/bin/env bash
# Ask guard inside the cluster: create the Job of job.yaml, wait until it has succeeded or failed, show
# what it said, and leave with guard's exit code: 0 ALLOW, 10 BLOCK, 11 UNKNOWN, 2 wrong usage.
# A Job that never ran, was evicted or ran out of time is UNKNOWN: nobody has looked.
#
#   IMAGE=registry.example.com/crdb-upgrade-guard@sha256:... ./gate.sh next-node v21.2.17 [NODE_ID]
set -euo pipefail

KUBECTL=${KUBECTL:-kubectl}
NAMESPACE=${NAMESPACE:-default}
SECONDS_MORE=${SECONDS_MORE:-300} # beyond the Job's own deadline: scheduling, pulling the image
JOB=${JOB:-$(dirname "$0")/job.yaml}

die() { printf '%s\n' "$2" >&2; exit "$1"; }
kube() { timeout -k 5 60 "$KUBECTL" --namespace="$NAMESPACE" --request-timeout=30s "$@" </dev/null; }

step=${1:-} target=${2:-} node=${3:-}
[[ $step =~ ^(start|next-node|finalize|rollback|verify)$ ]] || die 2 "usage: gate.sh STEP vX.Y.Z [NODE_ID]"
[[ $target =~ ^v[0-9]+\.[0-9]+\.[0-9A-Za-z.-]+$ ]] || die 2 "not a build such as v21.2.17: $target"
[[ $node =~ ^[0-9]*$ ]] || die 2 "not a node id: $node"
[[ -n ${IMAGE:-} ]] || die 2 "IMAGE is not set: the image with guard"
[[ $IMAGE =~ ^[A-Za-z0-9._:/@-]+$ ]] || die 2 "not an image: $IMAGE"

manifest=$(mktemp)
trap 'rm -f "$manifest"' EXIT
fill=(-e "s|image: .* # IMAGE\$|image: $IMAGE|"
      -e "s|- --step=.* # STEP\$|- --step=$step|" -e "s|- --target=.* # TARGET\$|- --target=$target|")
[[ -z $node ]] || fill+=(-e "s|# - --node=.* # NODE.*|- --node=$node|")
sed "${fill[@]}" "$JOB" >"$manifest"
limit=$(sed -n 's/^ *activeDeadlineSeconds: *\([0-9]*\).*/\1/p' "$manifest")
[[ -n $limit ]] || die 2 "$JOB has no activeDeadlineSeconds"

job=$(kube create -f "$manifest" -o name) || die 11 "the Job could not be created: nobody has looked."
printf '%s in namespace %s\n' "$job" "$NAMESPACE" >&2

deadline=$((SECONDS + limit + SECONDS_MORE)) outcome=""
until [[ -n $outcome ]]; do
    conditions=$(kube get "$job" -o 'jsonpath={range .status.conditions[?(@.status=="True")]}{.type} {end}') ||
        conditions=""
    case " $conditions" in
        *" Complete "*) outcome=complete ;;
        *" Failed "*) outcome=failed ;;
        *) ((SECONDS < deadline)) || die 11 "$job has not ended in time: see kubectl describe $job."
           sleep 2 ;;
    esac
done

selector=job-name=${job#*/}
kube logs --selector="$selector" --tail=-1 || true
code=$(kube get pods --selector="$selector" \
    -o 'jsonpath={.items[*].status.containerStatuses[*].state.terminated.exitCode}') || code=""
case $outcome:$code in
    complete:0) exit 0 ;;
    failed:10) die 10 "BLOCK before $step" ;;
    failed:11 | failed:12 | failed:2) die "$code" "guard left with $code before $step" ;;
    *) die 11 "$job is $outcome, with exit code '${code:-none}': no verdict, no permission." ;;
esac
