"""One key for each algorithm, as PyJWT signs with it and as a JWK."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EDWARDS = ("EdDSA", "Ed25519")
ALGORITHMS = (*HMAC, *CURVES, *RSA, *EDWARDS)


@dataclass(frozen=True)
class Key:
    """A key of one algorithm; `signing` and `verifying` are PyJWT's."""

    algorithm: str
    kid: str
    signing: Any
    verifying: Any
    private_jwk: dict[str, Any]
    public_jwk: dict[str, Any]


def generate(algorithm: str, kid: str = "") -> Key:
    """A new key with an id."""
    signing = _generate_signing(algorithm)
    verifying = signing if algorithm in HMAC else signing.public_key()
    kid = kid or f"key-{algorithm.lower()}"
    return Key(
        algorithm=algorithm,
        kid=kid,
        signing=signing,
        verifying=verifying,
        private_jwk=_to_jwk(algorithm, kid, signing),
        public_jwk=_to_jwk(algorithm, kid, verifying),
    )


def symmetric(algorithm: str, secret: bytes) -> Key:
    """The key of a secret that has no id."""
    jwk = {**_format(algorithm).to_jwk(secret, as_dict=True), "alg": algorithm}
    return Key(algorithm, "", secret, secret, jwk, jwk)


def write_jwks(path: Path, keys: list[Key]) -> Path:
    """Writes what a verifier gets: the public halves, and the secrets."""
    path.write_text(json.dumps({"keys": [key.public_jwk for key in keys]}))
    return path


def _generate_signing(algorithm: str) -> Any:
    if algorithm in HMAC:
        return secrets.token_bytes(HMAC[algorithm])
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm in RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ed25519.Ed25519PrivateKey.generate()


def _to_jwk(algorithm: str, kid: str, key: Any) -> dict[str, Any]:
    return {
        **_format(algorithm).to_jwk(key, as_dict=True),
        "alg": algorithm,
        "kid": kid,
    }


def _format(algorithm: str) -> Any:
    # PyJWT knows RFC 9864's `Ed25519` under the older name only.
    return get_default_algorithms()["EdDSA" if algorithm in EDWARDS else algorithm]
