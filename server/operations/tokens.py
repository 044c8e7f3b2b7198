"""Secrets in URLs and cookies: derived from the server's secret, kept as digests."""

from __future__ import annotations

import base64
import hashlib
import hmac

from flask import current_app


def digest(token: str) -> bytes:
    """What the database keeps of a token (32 bytes).

    Looking a digest up by index tells an attacker nothing about the token, so no comparison of secrets by time remains.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def derive(purpose: str, nonce: bytes) -> str:
    """A 64-character URL-safe token from the server's secret.

    The database holds the nonce and the digest; alone it gives no token away, and a QR code can still be printed again.
    """
    secret: bytes = current_app.config["SERVER_SECRET"]
    mac = hmac.new(secret, purpose.encode() + b"\0" + nonce, hashlib.sha384).digest()
    return base64.urlsafe_b64encode(mac).decode("ascii")
