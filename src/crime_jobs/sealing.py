"""Sealing what nobody but its readers may see: messages of the AWS Encryption SDK under a KMS key.

A data key from KMS seals many messages: without that, each FIR would cost a call
(https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/data-key-caching.html). Cached keys are
told apart by their encryption context, so what a message is about is not in there: it is sealed with the
content, and compared when the message is opened. One that was moved to another FIR can't be opened as that
one's.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crime_jobs import aws
from crime_jobs.errors import BadInput

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: How long and how often one data key seals; far below what AES-GCM allows.
KEY_SECONDS, KEY_MESSAGES = 300.0, 10_000
_CACHED_KEYS = 1000

#: What FIRs are sealed for; a key's policy may let somebody open what is sealed for one purpose alone.
FIRS = "crime-jobs-fir"

_CONTEXT = {"purpose": FIRS}


class Sealer:
    """Seals and opens messages with one KMS key; threads may share it.

    Parameters
    ----------
    settings
        Region and profile.
    key
        Alias or ARN of the key. An alias is looked up once: messages name the key itself.
    purpose
        What is sealed: goes into the encryption context, and what was sealed for another is not opened.

    Raises
    ------
    AwsRefused
        If the key is not there or may not be used.
    """

    def __init__(self, settings: Settings, key: str, purpose: str = FIRS) -> None:
        import aws_encryption_sdk as sdk
        from aws_encryption_sdk.key_providers.kms import KMSMasterKey

        # It logs, with a traceback, what it also raises.
        logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL)
        kms = aws.client("kms", settings)
        with aws.refusals(f"Looking for the KMS key {key}"):
            arn = str(kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"])
        self._key = key
        self._context = {**_CONTEXT, "purpose": purpose}
        self._client = sdk.EncryptionSDKClient()
        self._materials = sdk.CachingCryptoMaterialsManager(
            master_key_provider=KMSMasterKey(key_id=arn, client=kms),
            cache=sdk.LocalCryptoMaterialsCache(_CACHED_KEYS),
            max_age=KEY_SECONDS,
            max_messages_encrypted=KEY_MESSAGES,
        )
        # Without a signature: writers and readers trust each other, and it would cost more than the rest.
        self._algorithm = sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

    def seal(self, subject: str, content: bytes) -> str:
        """Seal a message.

        Parameters
        ----------
        subject
            What it is about: a FIR's key, or a record's place in its stream.
        content
            What is sealed.

        Returns
        -------
        str
            Base64.

        Raises
        ------
        AwsRefused
            If KMS gives no data key.
        """
        with aws.refusals(f"Sealing with the KMS key {self._key}"), _kms_itself():
            sealed, _ = self._client.encrypt(
                source=subject.encode() + b"\0" + content,
                materials_manager=self._materials,
                encryption_context=self._context,
                algorithm=self._algorithm,
                frame_length=0,
            )
        return base64.b64encode(sealed).decode("ascii")

    def unseal(self, subject: str, sealed: str) -> bytes:
        """Open a message.

        Parameters
        ----------
        subject
            What it must be about.
        sealed
            As `seal` returned it.

        Returns
        -------
        bytes
            The content.

        Raises
        ------
        BadInput
            If it is no such message, was changed, or is about something else.
        AwsRefused
            If KMS does not open its data key.
        """
        from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
        from cryptography.exceptions import InvalidTag

        try:
            with aws.refusals(f"Opening with the KMS key {self._key}"), _kms_itself():
                opened, header = self._client.decrypt(
                    source=base64.b64decode(sealed, validate=True), materials_manager=self._materials
                )
        except (AWSEncryptionSDKClientError, InvalidTag, ValueError) as error:
            raise BadInput(f"What is sealed of {subject} can't be opened: {type(error).__name__}.") from None
        about, _, content = bytes(opened).partition(b"\0")
        if about != subject.encode() or not self._context.items() <= header.encryption_context.items():
            raise BadInput(f"What is sealed of {subject} is about something else.")
        return content


@contextmanager
def _kms_itself() -> Iterator[None]:
    """Raise what KMS refused with, which the SDK wraps: a throttled call may be repeated, a refusal not."""
    from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except AWSEncryptionSDKClientError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ClientError | BotoCoreError):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        raise
