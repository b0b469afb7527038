"""The two foreign libraries that mint and verify: PyJWT and jose."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt

from keys import Key

HERE = Path(__file__).resolve().parent
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Verified:
    """What a peer read from a token whose signature it checked."""

    header: dict[str, Any]
    claims: dict[str, Any]


class Peer(Protocol):
    """A JWT library of another language."""

    name: str

    def knows(self, algorithm: str) -> bool:
        """Whether the library can use this algorithm name."""
        ...

    def mint(self, key: Key, typ: str, claims: dict[str, Any]) -> str:
        """Signs the claims."""
        ...

    def verify(self, key: Key, token: str, issuer: str, audience: str) -> Verified:
        """Checks signature, times, issuer and audience; raises otherwise."""
        ...


class PyJwt:
    """PyJWT; it has no algorithm of the name `Ed25519`."""

    name = "PyJWT"

    def knows(self, algorithm: str) -> bool:
        return algorithm in jwt.algorithms.get_default_algorithms()

    def mint(self, key: Key, typ: str, claims: dict[str, Any]) -> str:
        return jwt.encode(
            claims, key.signing, algorithm=key.algorithm, headers=_header(key, typ)
        )

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token, whose signature is not verified."""
        return jwt.decode(token, options={"verify_signature": False})

    def verify(self, key: Key, token: str, issuer: str, audience: str) -> Verified:
        claims = jwt.decode(
            token,
            key.verifying,
            algorithms=[key.algorithm],
            issuer=issuer,
            audience=audience,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
        return Verified(jwt.get_unverified_header(token), claims)


class Jose:
    """jose, run by Node.js; it knows every algorithm of the profile."""

    name = "jose"

    def __init__(self, node: str) -> None:
        self._node = node

    def knows(self, algorithm: str) -> bool:
        return True

    def mint(self, key: Key, typ: str, claims: dict[str, Any]) -> str:
        header = {"alg": key.algorithm, **_header(key, typ)}
        job = {"jwk": key.private_jwk, "header": header, "claims": claims}
        return self._run("mint.mjs", job)["token"]

    def verify(self, key: Key, token: str, issuer: str, audience: str) -> Verified:
        options = {
            "issuer": issuer,
            "audience": audience,
            "requiredClaims": ["exp", "iat", "sub", "jti"],
        }
        job = {"jwk": key.public_jwk, "token": token, "options": options}
        return Verified(**self._run("verify.mjs", job))

    def _run(self, script: str, job: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(
            [self._node, str(HERE / script)],
            input=json.dumps(job),
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{script} failed: {done.stderr.strip()}")
        return json.loads(done.stdout)


def _header(key: Key, typ: str) -> dict[str, str]:
    return {"typ": typ, **({"kid": key.kid} if key.kid else {})}
