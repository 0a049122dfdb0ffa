"""Which processes are ours. A pid alone doesn't say: the kernel gives it to others later.

Each server is started with a mark of its own in its environment, and its children inherit it: also
those that leave its process group (LocalStack starts its helpers in sessions of their own) and
those that outlive it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Iterable

import psutil

MARK = "CRIME_HARNESS_MARK"


def family(mark: str) -> list[psutil.Process]:
    """Return the live processes that carry a mark.

    Parameters
    ----------
    mark
        The value of ``CRIME_HARNESS_MARK`` that their server was started with.

    Returns
    -------
    list of psutil.Process
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # another user's, or just gone
            continue
    return found


def is_same(pid: int, created: float, mark: str) -> bool:
    """Say whether a pid is still the process that we started.

    Parameters
    ----------
    pid
        Process id.
    created
        When it was created, in seconds since 1970, as psutil says it.
    mark
        Its mark.

    Returns
    -------
    bool
        False also when it has died and not yet been reaped.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - created) > 1:
            return False
        return process.environ().get(MARK) == mark
    except psutil.Error:
        return False


def stop(mark: str, grace: float) -> int:
    """Stop all processes that carry a mark: SIGTERM, then SIGKILL for those that stay.

    Parameters
    ----------
    mark
        The mark.
    grace
        Seconds between the two.

    Returns
    -------
    int
        How many there were.
    """
    left = family(mark)
    stopped, deadline = set(left), time.monotonic() + grace
    for process in left:
        _send(process, kill=False)
    # Looked up anew, until nobody is there twice: a helper may have been restarted meanwhile, and
    # a process that is just being started shows no environment for a moment. Not psutil.wait_procs:
    # to it a process that has died and waits to be reaped is still there.
    quiet = 0
    while quiet < 2:  # noqa: PLR2004 - said above
        time.sleep(0.05)
        left = family(mark)
        stopped |= set(left)
        quiet = 0 if left else quiet + 1
        if time.monotonic() > deadline:
            for process in left:
                _send(process, kill=True)
    return len(stopped)


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass


def listening(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Return the addresses on which processes accept TCP connections.

    Parameters
    ----------
    processes
        The processes.

    Returns
    -------
    set of (address, port)
    """
    found = set()
    for process in processes:
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        found |= {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}
    return found


def exposed(addresses: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return those addresses that other machines could reach.

    Parameters
    ----------
    addresses
        Addresses and ports.

    Returns
    -------
    list of (address, port)
    """
    return sorted(pair for pair in addresses if not _is_loopback(pair[0]))


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on a port of 127.0.0.1.

    Parameters
    ----------
    port
        The port.

    Returns
    -------
    bool
    """
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Say who listens on a port, as far as this user may know.

    Parameters
    ----------
    port
        The port.

    Returns
    -------
    str
        For example ``nginx (pid 812)``.
    """
    for process in psutil.process_iter():
        if process.pid != os.getpid() and any(at == port for _, at in listening([process])):
            try:
                return f"{process.name()} (pid {process.pid})"
            except psutil.Error:
                break
    return "another program"
