"""The claims of the tests, and the session that must come out of them."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

ISSUER = "https://id.example.com"
AUDIENCE = "orders"
SERVER = "main"
INSTANCE = "default"


def full_claims(**changes: Any) -> dict[str, Any]:
    """Every claim that a `session+jwt` may have, fresh ids and times."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid.uuid4()),
        "exp": now + 600,
        "nbf": now - 5,
        "iat": now - 5,
        "jti": str(uuid.uuid4()),
        "sid": str(uuid.uuid4()),
        "client_id": str(uuid.uuid4()),
        "client_kind": "web",
        "name": "Анна Ёлкина",
        "preferred_username": "anna",
        "access_level": "regular",
        "locale": "ru-RU",
        "ui_locale": "en-US",
        "utc_offset": 180,
        "zoneinfo": "Europe/Moscow",
        "server": SERVER,
        "instance": INSTANCE,
        "scope": "orders:read orders:write",
        "roles": ["clerk", "Leitung"],
        "auth_time": now - 3600,
    } | changes


def claims_without(*names: str, **changes: Any) -> dict[str, Any]:
    """The full claims but for some."""
    return {k: v for k, v in full_claims(**changes).items() if k not in names}


def expected_session(
    claims: dict[str, Any], typ: str = "session+jwt", **changes: Any
) -> dict[str, Any]:
    """The answer of `GET /session` to a token that names culture and offset."""
    kind = claims.get("client_kind", "other")
    return {
        "id": claims.get("sid"),
        "type": "server",
        "application_id": claims.get("client_id", claims.get("azp")),
        "client_kind": kind,
        "is_desktop_client": kind == "desktop",
        "is_web_client": kind == "web",
        "is_not_web_or_desktop_client": kind == "other",
        "user": {
            "id": claims["sub"],
            "name": claims.get("name"),
            "login": claims.get("preferred_username"),
            "access_level": claims.get("access_level", "regular"),
        },
        "client_culture": sourced(claims["locale"]),
        "client_ui_culture": sourced(claims.get("ui_locale", claims["locale"])),
        "client_utc_offset": sourced(offset_text(claims["utc_offset"])),
        "client_time_zone": sourced(claims.get("zoneinfo")),
        "server_code": claims.get("server"),
        "instance_name": claims.get("instance"),
        "roles": claims.get("roles", []),
        "scope": scope_words(claims.get("scope", [])),
        "actor": expected_actor(claims.get("act")),
        "token": {
            "id": claims.get("jti"),
            "issuer": claims["iss"],
            "audience": audience_list(claims["aud"]),
            "issued_at": instant_text(claims.get("iat")),
            "expires_at": instant_text(claims["exp"]),
            "type": typ,
        },
    } | changes


def sourced(value: str | None, source: str = "token") -> dict[str, str | None]:
    """A member that says where it came from; nothing came from nowhere."""
    return {"value": value, "source": None if value is None else source}


def expected_actor(act: dict[str, Any] | None) -> dict[str, Any] | None:
    """The `actor` member for an `act` claim."""
    if act is None:
        return None
    texts = {name: act.get(name) for name in ("sub", "sid", "client_id")}
    return {**texts, "actor": expected_actor(act.get("act"))}


def audience_list(audience: str | list[str]) -> list[str]:
    """Both forms of `aud` as a list."""
    return [audience] if isinstance(audience, str) else audience


def scope_words(scope: str | list[str]) -> list[str]:
    """Both forms of `scope` as a list."""
    return scope.split() if isinstance(scope, str) else scope


def offset_text(minutes: int) -> str:
    """RFC 3339's numeric offset."""
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"{sign}{hours:02}:{rest:02}"


def instant_text(seconds: float | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds where there are some."""
    if seconds is None:
        return None
    milliseconds = round(seconds * 1000)
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    timespec = "milliseconds" if milliseconds % 1000 else "seconds"
    return instant.isoformat(timespec=timespec).replace("+00:00", "Z")
