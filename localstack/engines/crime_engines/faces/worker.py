"""A process that looks at pictures: ``python -m crime_engines.faces.worker``, spoken to through its pipes.

Pictures come from anyone, so they are decoded where a crash costs one answer, with a limit on memory. Threads
gained nothing with dlib; processes use several cores. It ends when its input does, so none is left behind.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from crime_engines.faces import pictures
from crime_engines.faces.recogniser import Recogniser

#: Bytes of address space: the models need 0.4 GiB, a picture of the largest size as much.
MEMORY = 3 * 1024**3


def main() -> None:
    """Answer requests, a line of JSON and the picture each, with a line of JSON each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold faces
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(given: BinaryIO, told: BinaryIO) -> None:
    """Answer requests until there are no more.

    Parameters
    ----------
    given
        Requests: ``{"wanted": …, "size": …}``, a line end, and so many bytes.
    told
        Answers: ``{"faces": […]}``, or ``{"unfit": kind, "message": …}``, or ``{"broken": type}``.
    """
    recogniser = Recogniser()
    while line := given.readline():
        asked = json.loads(line)
        content = given.read(asked["size"])
        told.write(json.dumps(_answer(recogniser, content, asked["wanted"])).encode() + b"\n")
        told.flush()


def _answer(recogniser: Recogniser, content: bytes, wanted: Any) -> dict[str, Any]:
    try:
        picture, original = pictures.decode(content)
        return {"faces": [asdict(seen) for seen in recogniser.look(picture, wanted, original)]}
    except pictures.Unfit as error:
        return {"unfit": error.kind, "message": error.message}
    except Exception as error:  # noqa: BLE001 - the type only: a message might tell of the picture
        return {"broken": type(error).__name__}


if __name__ == "__main__":
    main()
