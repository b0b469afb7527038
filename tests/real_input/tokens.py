"""Tokens that no honest library mints."""

import base64
import hashlib
import hmac
import json
from typing import Any


def tamper_signature(token: str) -> str:
    """Flips one bit in one byte of the signature."""
    signed, _, signature = token.rpartition(".")
    bytes_ = bytearray(_decode(signature))
    bytes_[len(bytes_) // 2] ^= 0x01
    return f"{signed}.{encode(bytes_)}"


def tamper_payload(token: str, **changes: Any) -> str:
    """Changes claims and keeps the signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(_decode(payload)) | changes
    return f"{header}.{encode_json(claims)}.{signature}"


def sign_by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """HMAC with SHA-256, whatever the header says and the secret is."""
    signed = f"{encode_json(header)}.{encode_json(claims)}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encode(mac)}"


def encode_json(value: dict[str, Any]) -> str:
    """One part of a compact JWS."""
    return encode(json.dumps(value).encode())


def encode(content: bytes | bytearray) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
