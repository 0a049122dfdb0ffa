"""Write a Java trust store from a PEM file; run as a script, with ``cryptography`` on the path."""

from __future__ import annotations

import sys
from pathlib import Path


def main(pem: Path, store: Path) -> None:
    """Write the certificates of a PEM file into a PKCS#12 file that Java takes as a trust store.

    Parameters
    ----------
    pem
        The certificates.
    store
        The file to write; its password is ``changeit``, as Java's own has it: it holds no secret.
    """
    # From the folder that the caller puts on the path, not from this environment.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        pkcs12,
    )

    found = x509.load_pem_x509_certificates(pem.read_bytes())
    entries = [pkcs12.PKCS12Certificate(cert, str(number).encode()) for number, cert in enumerate(found)]
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(b"changeit")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
