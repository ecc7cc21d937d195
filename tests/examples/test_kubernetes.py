"""examples/kubernetes/ with a stand-in kubectl: which pods move, when guard is asked, what a failure
leaves behind; and the manifests against the published schemas.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "kubernetes"
KUBECTL = Path(__file__).parent / "kubectl"
OLD, NEW = "cockroachdb/cockroach:v21.1.12", "cockroachdb/cockroach:v21.2.1"
PODS = ("db-2", "db-1", "db-0")

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or shutil.which("timeout") is None,
    reason="the scripts need bash and timeout",
)

# A pod is a file with what it runs, absent while it is down. BROKEN is an image that never starts.
POD = """#!/bin/bash
pod=$ROOT/running/$2
case $1 in
    replace) rm -f "$pod"; echo "replace $2 ${3##*:}" >>"$ROOT/log"
             [[ " $BROKEN " == *" $2=${3##*:} "* ]] || echo "${3##*:}" >"$pod" ;;
    ready) [[ -e $pod ]] ;;
    port) echo 4321 ;;
    job) options=$(grep -oE -- '- --(step|target|node)=.*' "$2" | tr -d '\\n')
         echo "said of $(grep -o 'image: .*' "$2") $options"
         exit "$ANSWER" ;;
    exec)
        if [[ $4 == node ]]; then
            printf 'id\\taddress\\n'
            for i in 0 1 2; do printf '%s\\tdb-%s.db.default.svc:26257\\n' $((i + 1)) $i; done
            exit
        fi
        [[ -e $pod ]] || exit 1
        for each; do case $each in --execute=*) statement=${each#--execute=} ;; esac; done
        case $statement in SET*|RESET*) echo "$statement" >>"$ROOT/log" ;; esac
        case $statement in RESET*) echo 21.2 >"$ROOT/version" ;; esac
        echo header
        case $statement in
            *version\\(\\)*) echo "CockroachDB CCL $(cat "$pod") (linux)" ;;
            *SETTING\\ version*) cat "$ROOT/version" ;;
            *node_id*) echo $((${2#db-} + 1)) ;;
        esac ;;
esac
"""
GUARD = """#!/bin/bash
step= node=
while (($#)); do case $1 in --step) step=$2 ;; --node) node=" $2" ;; --url) url=$2 ;; esac; shift; done
[[ $url == postgresql://root@127.0.0.1:4321/system ]] || exit 2
echo "ask $step$node" >>"$ROOT/log"
[[ "$step$node" != "$REFUSES" ]] || exit "$ANSWER"
"""


@dataclass
class StatefulSet:
    """Three pods, and the script on them."""

    root: Path

    def lay(self) -> StatefulSet:
        (self.root / "pods").mkdir()
        (self.root / "running").mkdir()
        for pod in PODS:
            (self.root / "pods" / pod).write_text(OLD)
            (self.root / "running" / pod).write_text(OLD.split(":")[1] + "\n")
        for name, text in (
            ("name", "db"), ("replicas", "3"), ("container", "db"), ("partition", "0"), ("image", OLD),
            ("old-image", OLD), ("version", "21.1"), ("pod", POD), ("guard", GUARD),
        ):  # fmt: skip
            (self.root / name).write_text(text)
        (self.root / "pod").chmod(0o755)
        (self.root / "guard").chmod(0o755)
        return self

    def run(
        self, *arguments: str, script: str = "rolling-upgrade-kubernetes.sh", **more: str
    ) -> subprocess.CompletedProcess[str]:
        own = {
            "TARGET": "v21.2.1", "STATEFULSET": "db", "ROOT": str(self.root),
            "KUBECTL_ROOT": str(self.root), "KUBECTL": str(KUBECTL),
            "GUARD": str(self.root / "guard"), "BROKEN": "", "REFUSES": "", "ANSWER": "10",
            "START_SECONDS": "3",
        }  # fmt: skip
        return subprocess.run(
            [str(FOLDER / script), *arguments], env=os.environ | own | more, check=False,
            capture_output=True, text=True, timeout=90,
        )  # fmt: skip

    @property
    def partition(self) -> int:
        return int((self.root / "partition").read_text())

    def running(self) -> list[str]:
        """What the pods run, from the highest down; nothing for one that is down."""
        paths = [self.root / "running" / pod for pod in PODS]
        return [path.read_text().strip() if path.exists() else "" for path in paths]

    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def pods(tmp_path: Path) -> StatefulSet:
    return StatefulSet(tmp_path).lay()


def test_guard_is_asked_before_each_pod_and_no_pod_moves_meanwhile(pods: StatefulSet) -> None:
    done = pods.run(FINALIZE="yes")
    assert done.returncode == 0, done.stderr
    assert pods.log() == [
        "ask start",
        "SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'",
        "ask next-node 3", "replace db-2 v21.2.1",
        "ask next-node 2", "replace db-1 v21.2.1",
        "ask next-node 1", "replace db-0 v21.2.1",
        "ask finalize",
        "RESET CLUSTER SETTING cluster.preserve_downgrade_option",
        "ask verify",
    ]  # fmt: skip
    assert pods.partition == 0


@pytest.mark.parametrize(
    ("refuses", "moved", "answer", "code"),
    [
        ("start", 0, "10", 10), ("start", 0, "1", 1), ("next-node 3", 0, "11", 11),
        ("next-node 3", 0, "2", 2), ("next-node 2", 1, "10", 10), ("next-node 2", 1, "12", 12),
        ("finalize", 3, "10", 10),
    ],
)  # fmt: skip
def test_without_allow_no_further_pod_moves(
    pods: StatefulSet, refuses: str, moved: int, answer: str, code: int
) -> None:
    assert pods.run(REFUSES=refuses, ANSWER=answer, FINALIZE="yes").returncode == code
    assert pods.running() == ["v21.2.1"] * moved + ["v21.1.12"] * (3 - moved)
    assert not [line for line in pods.log() if line.startswith("RESET")]
    # Refused for good or not: afterwards it goes on where it stopped.
    assert pods.run(FINALIZE="yes").returncode == 0
    assert pods.running() == ["v21.2.1"] * 3


def test_a_pod_that_does_not_come_up_gets_its_old_image_back(pods: StatefulSet) -> None:
    done = pods.run(BROKEN="db-1=v21.2.1")
    assert done.returncode == 1
    assert "db-1 does not answer with v21.2.1" in done.stderr
    assert pods.running() == ["v21.2.1", "v21.1.12", "v21.1.12"]
    assert pods.partition == 2
    assert pods.run().returncode == 0
    assert pods.running() == ["v21.2.1"] * 3


def test_it_goes_on_at_once_with_a_pod_that_is_down(pods: StatefulSet) -> None:
    assert pods.run(REFUSES="next-node 2").returncode == 10
    (pods.root / "running" / "db-1").unlink()
    done = pods.run()
    assert done.returncode == 0, done.stderr
    assert pods.log()[-5:] == [
        "ask next-node 2",
        "replace db-1 v21.2.1",
        "ask next-node 1",
        "replace db-0 v21.2.1",
        "ask finalize",
    ]


def test_no_pod_answers(pods: StatefulSet) -> None:
    for pod in PODS:
        (pods.root / "running" / pod).unlink()
    assert pods.run().returncode == 11
    assert pods.log() == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"TARGET": ""}, 2), ({"TARGET": "21.2.1"}, 2), ({"CONTAINER": "other"}, 2),
        ({"GUARD": "/nowhere"}, 2), ({"KUBECTL": "/nowhere"}, 2), ({"HOOKS": "/nowhere"}, 2),
        ({"STATEFULSET": "other"}, 1),
    ],
)  # fmt: skip
def test_wrong_usage(pods: StatefulSet, wrong: dict[str, str], code: int) -> None:
    assert pods.run(**wrong).returncode == code
    assert pods.log() == []


def test_the_helm_hooks_set_values_of_the_chart(pods: StatefulSet) -> None:
    helm = pods.root / "helm"
    helm.write_text('#!/bin/sh\necho "$*" >>"$ROOT/helm.log"\n')
    helm.chmod(0o755)
    given = 'kube() { echo "$*" >>"$ROOT/helm.log"; }; source "$1"; set_partition 2; set_image'
    subprocess.run(
        ["bash", "-euc", given, "bash", str(FOLDER / "helm-hooks.sh")],
        env=os.environ
        | {
            "ROOT": str(pods.root), "HELM": str(helm), "RELEASE": "r", "CHART_VERSION": "1.2.3",
            "NAMESPACE": "n", "STATEFULSET": "r-cockroachdb", "TARGET": "v21.2.1",
        },
        check=True,
    )  # fmt: skip
    job = "delete job r-cockroachdb-init --ignore-not-found"
    upgrade = "upgrade r cockroachdb/cockroachdb --version 1.2.3 --namespace n --reuse-values --set"
    assert (pods.root / "helm.log").read_text().splitlines() == [
        job, f"{upgrade} statefulset.updateStrategy.rollingUpdate.partition=2",
        job, f"{upgrade} image.tag=v21.2.1",
    ]  # fmt: skip


# --- the Job -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"), [("0", 0), ("10", 10), ("11", 11), ("12", 12), ("2", 2), ("1", 11), ("137", 11)]
)
def test_the_job_is_waited_for_whether_it_succeeds_or_fails(
    pods: StatefulSet, answer: str, code: int
) -> None:
    done = pods.run(
        "next-node", "v21.2.1", "3", script="gate.sh", IMAGE="r.example/g@sha256:1", ANSWER=answer
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == (
        "said of image: r.example/g@sha256:1 - --step=next-node- --target=v21.2.1- --node=3\n"
    )


def test_each_run_is_a_job_of_its_own(pods: StatefulSet) -> None:
    assert pods.run("start", "v21.2.1", script="gate.sh", IMAGE="i", ANSWER="0").returncode == 0
    assert pods.run("start", "v21.2.1", script="gate.sh", IMAGE="i", ANSWER="10").returncode == 10


@pytest.mark.parametrize(
    "arguments", [(), ("next",), ("start", "21.2"), ("start", "v21.2.1", "n1"), ("start", "v21.2.1|e")]
)
def test_the_job_wrong_usage(pods: StatefulSet, arguments: tuple[str, ...]) -> None:
    assert pods.run(*arguments, script="gate.sh", IMAGE="i").returncode == 2


def test_without_an_image_there_is_no_job(pods: StatefulSet) -> None:
    assert pods.run("start", "v21.2.1", script="gate.sh", IMAGE="").returncode == 2


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_the_manifest_is_valid(version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install '.[examples]'")
    yaml = pytest.importorskip("yaml", reason="pip install '.[examples]'")
    manifest = yaml.safe_load((FOLDER / "job.yaml").read_text())
    # The schema asks for a name where the server takes generateName instead.
    assert manifest["metadata"].pop("generateName") == "crdb-upgrade-guard-"
    manifest["metadata"]["name"] = "crdb-upgrade-guard-x"
    kubernetes_validate.validate(manifest, version, strict=True)
