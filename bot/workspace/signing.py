"""How Slack signs what it sends over HTTP, so that a bot can tell it from anybody else's."""

import hashlib
import hmac


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The X-Slack-Signature of a request body sent at `timestamp` (seconds since the epoch)."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_headers(secret: str, now: float, body: bytes) -> dict[str, str]:
    timestamp = str(int(now))
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }
