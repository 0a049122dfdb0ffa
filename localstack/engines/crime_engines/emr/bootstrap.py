"""Bootstrap actions: scripts from S3 that run before the first step."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from crime_engines.emr.model import Cluster
from crime_engines.node import Node
from crime_engines.storage import Missing
from crime_engines.work import Work

#: EMR gives the bootstrap actions an hour, all together.
PATIENCE = 3600.0


class BootstrapFailed(Exception):  # noqa: N818 - reads as what happened
    """A bootstrap action failed.

    Parameters
    ----------
    code
        EMR's error code (Amazon EMR Management Guide, "Bootstrap failure error codes").
    number
        Which action it is, from 1.
    message
        What happened.
    """

    def __init__(self, code: str, number: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.number = number
        self.message = message


def bootstrap(node: Node, cluster: Cluster, work: Work, instance: str) -> None:
    """Run a cluster's bootstrap actions, one after the other.

    Parameters
    ----------
    node
        The machine.
    cluster
        The cluster.
    work
        Its processes.
    instance
        Id of the primary node.

    Raises
    ------
    BootstrapFailed
        If a script is not there, or exits with anything but 0.
    Stopped
        If the cluster ends meanwhile.
    """
    for number, action in enumerate(cluster.request.get("BootstrapActions", []), 1):
        folder = cluster.home / "bootstrap-actions" / str(number)
        folder.mkdir(parents=True)
        logs = {name: folder / name for name in ("controller", "stderr", "stdout")}
        for path in logs.values():
            path.touch()
        script = action["ScriptBootstrapAction"]
        try:
            _run(node, cluster, work, instance, number, script, logs)
        except subprocess.TimeoutExpired as error:
            raise BootstrapFailed(
                "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
                number,
                f"On the master instance ({instance}), bootstrap action {number} timed out.",
            ) from error
        finally:
            if cluster.log_uri:
                for name, path in logs.items():
                    uri = f"{cluster.log_uri}node/{instance}/bootstrap-actions/{number}/{name}.gz"
                    node.storage.put_log(uri, path)


def _run(
    node: Node,
    cluster: Cluster,
    work: Work,
    instance: str,
    number: int,
    script: dict[str, Any],
    logs: dict[str, Path],
) -> None:
    uri, arguments = script["Path"], script.get("Args", [])
    path = logs["stdout"].parent / (uri.rpartition("/")[2] or "script")
    try:
        node.storage.fetch(uri, path)
    except Missing as error:
        logs["controller"].write_text(f"{error}\n", encoding="utf-8")
        raise BootstrapFailed(
            "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY",
            number,
            f"On the master instance ({instance}), bootstrap action {number} failed download: {error}",
        ) from error
    path.chmod(0o755)
    env = node.environ(cluster.region, cluster.home / "tmp") | cluster.classified.env
    # The kernel looks at the first line; a script without one is given to bash, as a shell would do.
    interpreter = [] if path.read_bytes()[:2] == b"#!" else ["bash"]
    code = work.run(
        [*interpreter, str(path), *arguments],
        env=env,
        cwd=path.parent,
        stdout=logs["stdout"],
        stderr=logs["stderr"],
        timeout=PATIENCE,
    )
    logs["controller"].write_text(f"{uri} exited with {code}\n", encoding="utf-8")
    if code:
        raise BootstrapFailed(
            "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
            number,
            f"On the master instance ({instance}), bootstrap action {number} returned a non-zero return code",
        )
