"""Where the harness keeps things: in the checkout, beside it, and what the pins are."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "localstack"

DEFAULT_PORT = 4566


_LAST_PORT = 65535


def port_beside(localstack: int, offset: int) -> int:
    """Return the port of a server that runs beside LocalStack.

    Parameters
    ----------
    localstack
        LocalStack's port.
    offset
        How far from it; below it where there is no room above.

    Returns
    -------
    int
    """
    return localstack + offset if localstack + offset <= _LAST_PORT else localstack - offset


@dataclass(frozen=True)
class Places:
    """The folders of one stack.

    Parameters
    ----------
    state
        Folder of what lives as long as the stack: ``up.env``, logs, LocalStack's own files.
    cache
        Folder of downloads, outside the checkout, so that a second clone needs none.
    venv
        LocalStack's Python environment.
    """

    state: Path
    cache: Path
    venv: Path

    @classmethod
    def of(cls, state: Path | None = None) -> Places:
        """Return the usual places.

        Parameters
        ----------
        state
            State folder; ``build`` in the checkout when not given.

        Returns
        -------
        Places
        """
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(
            state=(state or ROOT / "build").absolute(),
            cache=Path(base).expanduser().absolute() / "crime-jobs",
            venv=ROOT / ".venvs" / "localstack",
        )

    @property
    def env_file(self) -> Path:
        """The addresses and settings, as ``KEY=VALUE`` lines."""
        return self.state / "up.env"

    @property
    def spark_conf(self) -> Path:
        """The Spark properties that make ``s3://`` reach LocalStack."""
        return self.state / "spark-localstack.conf"

    @property
    def run(self) -> Path:
        """Logs, records of the running servers, and their files."""
        return self.state / "localstack"

    @property
    def python(self) -> Path:
        """The Python of LocalStack's environment."""
        return self.venv / "bin" / "python"


def digest(*parts: str) -> str:
    """Return a short hash of pins, the name under which their downloads are kept.

    Parameters
    ----------
    *parts
        Texts that, when they change, make the download another.

    Returns
    -------
    str
        Twelve hex digits.
    """
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def jars(*groups: str) -> list[str]:
    """Return the pinned Maven artefacts of some groups of ``localstack/jars.toml``.

    Parameters
    ----------
    *groups
        Names of the groups.

    Returns
    -------
    list of str
        ``group:name:version`` or ``group:name:version:type``.
    """
    pins: dict[str, list[str]] = tomllib.loads((HERE / "jars.toml").read_text(encoding="utf-8"))
    return [pin for group in groups for pin in pins[group]]


def constraints() -> str:
    """Return the text of the pins of LocalStack's environment."""
    return (HERE / "constraints.txt").read_text(encoding="utf-8")


def pinned(package: str) -> str:
    """Return the version that LocalStack's environment pins of a package.

    Parameters
    ----------
    package
        Name as in ``localstack/constraints.txt``.

    Returns
    -------
    str
        For example ``4.9.2``.

    Raises
    ------
    KeyError
        If it is not pinned.
    """
    found = re.search(rf"^{re.escape(package)}==(\S+)$", constraints(), flags=re.MULTILINE)
    if not found:
        raise KeyError(package)
    return found.group(1)
