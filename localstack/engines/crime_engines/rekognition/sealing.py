"""What is kept of faces, encrypted: AES-256-GCM with a key in a file that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES, _NONCE_BYTES = 32, 12


class Sealing:
    """Encryption with a key of its own.

    Parameters
    ----------
    path
        The key's file; made when it is not there. Whoever loses it loses the collections.
    """

    def __init__(self, path: Path) -> None:
        key = _key(path)
        self._cipher = AESGCM(key)
        self._marking = hashlib.sha256(b"mark" + key).digest()

    def seal(self, content: bytes, name: str) -> bytes:
        """Encrypt something.

        Parameters
        ----------
        content
            The content.
        name
            What it is of: under another name it can't be opened.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """Decrypt something.

        Parameters
        ----------
        sealed, name
            What `seal` returned, and was given.

        Raises
        ------
        cryptography.exceptions.InvalidTag
            If key, name or content are others.
        """
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())

    def mark(self, *parts: bytes) -> str:
        """Return what tells whether something is the same, and can't be made without the key.

        Parameters
        ----------
        *parts
            The something.
        """
        whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.new(self._marking, whole, hashlib.sha256).hexdigest()


def _key(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise RuntimeError(f"{path} is no key of {_KEY_BYTES} bytes: put the right one back.")
    return key
