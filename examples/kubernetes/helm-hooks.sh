# shellcheck shell=bash
# HOOKS=helm-hooks.sh RELEASE=my-release CHART_VERSION=... ./rolling-upgrade-kubernetes.sh
# The partition and the image as values of the chart cockroachdb/cockroachdb, so that the next
# `helm upgrade` does not undo them. The same chart version is used throughout: a newer chart changes
# the template, and with it every pod.

: "${RELEASE:?the Helm release}" "${CHART_VERSION:?the version of the chart that the release has now}"
HELM=${HELM:-helm}

helm_set() {
    # The chart's init Job cannot be changed in place; it is made anew and does nothing.
    kube delete job "$STATEFULSET-init" --ignore-not-found >/dev/null
    timeout -k 5 120 "$HELM" upgrade "$RELEASE" cockroachdb/cockroachdb --version "$CHART_VERSION" \
        --namespace "$NAMESPACE" --reuse-values --set "$1" </dev/null
}

set_partition() { helm_set "statefulset.updateStrategy.rollingUpdate.partition=$1"; }
set_image() { helm_set "image.tag=$TARGET"; }
