"""The service: which operation is done where, and what all of them share."""

from __future__ import annotations

from collections.abc import Mapping

from crime_engines.control import Control
from crime_engines.dms.endpoints import Endpoints
from crime_engines.dms.life import OWNER_ID, Machine
from crime_engines.dms.places import Places
from crime_engines.dms.state import State
from crime_engines.dms.tasks import Tasks
from crime_engines.node import Node
from crime_engines.protocol import Handler, ServiceModel
from crime_engines.work import OWNER, end


class Dms:
    """The service.

    Parameters
    ----------
    node
        The machine.
    control
        How slow it is to be.
    oracle_url
        JDBC URL of the database that stands for Oracle; ``None`` where there is none.
    """

    def __init__(self, node: Node, control: Control, oracle_url: str | None) -> None:
        self.model = ServiceModel("dms")
        self._state = State(control, Machine(node, oracle_url))
        places, endpoints, tasks = Places(self._state), Endpoints(self._state), Tasks(self._state)
        self.handlers: Mapping[str, Handler] = {**places.handlers, **endpoints.handlers, **tasks.handlers}

    def close(self) -> None:
        """End all tasks and wait for it."""
        for task in list(self._state.tasks.values()):
            if work := task.work:
                work.stop(grace=0)
        end(OWNER, OWNER_ID, grace=0)
