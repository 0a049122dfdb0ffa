"""Compile one Java file with Janino; run as a script in LocalStack's environment, which has JPype.

The Janino that comes with Spark needs a Java runtime, not a JDK, so a Java from a wheel is enough.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(java_home: str, source: str, classes: str, *class_path: str) -> None:
    """Compile a file.

    Parameters
    ----------
    java_home
        The Java to run in.
    source
        The ``.java`` file.
    classes
        Folder for the ``.class`` files.
    *class_path
        Jars: Janino's own and those that the source needs.
    """
    import jpype  # type: ignore[import-not-found]

    jpype.startJVM(str(Path(java_home) / "lib" / "server" / "libjvm.so"), classpath=list(class_path))
    file = jpype.JClass("java.io.File")
    compiler = jpype.JClass("org.codehaus.janino.Compiler")()
    compiler.setDestinationDirectory(file(classes), False)
    compiler.setClassPath([file(jar) for jar in class_path])
    compiler.compile([file(source)])


if __name__ == "__main__":
    main(*sys.argv[1:])
