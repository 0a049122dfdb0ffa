"""What all services share: requests and answers as botocore's service models describe them."""

from __future__ import annotations

from crime_engines.protocol.refusal import Refusal, invalid
from crime_engines.protocol.service import ACCOUNT, Call, Handler, ServiceModel

__all__ = ["ACCOUNT", "Call", "Handler", "Refusal", "ServiceModel", "invalid"]
