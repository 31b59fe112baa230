"""The function's environment variables, all of them, read once.

As in AWS's own templates:

SECRETS_MANAGER_ENDPOINT    URL of the Secrets Manager endpoint. Unset: boto3 decides.
EXCLUDE_CHARACTERS          characters that no new password has. Unset: the engine's default;
                            empty: nothing is excluded.
PASSWORD_LENGTH             1 to 4096, default 32.
EXCLUDE_NUMBERS, EXCLUDE_PUNCTUATION, EXCLUDE_UPPERCASE, EXCLUDE_LOWERCASE
                            true, 1, y, yes or false, 0, n, no; any case. Default false.
REQUIRE_EACH_INCLUDED_TYPE  the same. Default true.
USERNAME_CHARACTER_LIMIT    1 to 255: how long an alternate's name may be, for servers that count
                            characters. Unset, or more than the engine allows: the engine's limit.

Our own:

ROTATION_STRATEGY           single-user, alternating-users or dual-password. Unset: single-user,
                            but a secret with masterarn then has to say which.
ROTATION_ENGINES            the engines this function may rotate, separated by commas.
                            Unset: every engine that is installed.
ROTATION_CA_BUNDLE          path of a PEM file: the authorities that a server's certificate must
                            come from. Unset: the build's own (RDS's and the public ones), else
                            the machine's.
ROTATION_ADMIN_RESET        whether the admin (masterarn) may set the password of a user that
                            nothing else proves to be this secret's, and what a provider issues
                            to such an application be stored. Default false.
ROTATION_PROVISIONED        whether both users of a pair are made by you: alternating-users then
                            sets passwords and nothing else. Default false.

A variable that is set to nothing counts as unset, EXCLUDE_CHARACTERS excepted.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from rotators.errors import InvalidSetting
from rotators.passwords import DEFAULT_LENGTH, LENGTHS, MOST_EXCLUDED, PasswordPolicy

_TRUE = frozenset({"true", "1", "y", "yes"})
_FALSE = frozenset({"false", "0", "n", "no"})
_NAME_LENGTHS = range(1, 256)


class StrategyName(StrEnum):
    """How a database user's password is replaced."""

    SINGLE_USER = "single-user"
    ALTERNATING_USERS = "alternating-users"
    DUAL_PASSWORD = "dual-password"  # noqa: S105 the name of a strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. Immutable; the defaults are those of an empty environment."""

    endpoint_url: str | None = None
    passwords: PasswordPolicy = field(default_factory=PasswordPolicy)
    strategy: StrategyName | None = None
    engines: frozenset[str] | None = None
    ca_bundle: Path | None = None
    admin_reset: bool = False
    provisioned: bool = False
    username_character_limit: int | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Reads the variables above. Raises InvalidSetting, which names the variable."""
        return cls(
            endpoint_url=_endpoint(environ),
            passwords=PasswordPolicy(
                length=_number(environ, "PASSWORD_LENGTH", LENGTHS) or DEFAULT_LENGTH,
                exclude_characters=_excluded(environ),
                exclude_numbers=_flag(environ, "EXCLUDE_NUMBERS"),
                exclude_punctuation=_flag(environ, "EXCLUDE_PUNCTUATION"),
                exclude_uppercase=_flag(environ, "EXCLUDE_UPPERCASE"),
                exclude_lowercase=_flag(environ, "EXCLUDE_LOWERCASE"),
                require_each_included_type=_flag(
                    environ, "REQUIRE_EACH_INCLUDED_TYPE", default=True
                ),
            ),
            strategy=_strategy(environ),
            engines=_engines(environ),
            ca_bundle=_ca_bundle(environ),
            admin_reset=_flag(environ, "ROTATION_ADMIN_RESET"),
            provisioned=_flag(environ, "ROTATION_PROVISIONED"),
            username_character_limit=_number(environ, "USERNAME_CHARACTER_LIMIT", _NAME_LENGTHS),
        )


def _flag(environ: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = environ.get(name, "").strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text:
        raise _invalid(environ, name, "Set it to true or false.")
    return default


def _number(environ: Mapping[str, str], name: str, allowed: range) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if re.fullmatch("[0-9]{1,9}", text) and int(text) in allowed:
        return int(text)
    raise _invalid(environ, name, f"Set it to {allowed[0]} to {allowed[-1]}.")


def _excluded(environ: Mapping[str, str]) -> str | None:
    text = environ.get("EXCLUDE_CHARACTERS")
    if text is not None and len(text) > MOST_EXCLUDED:
        raise InvalidSetting(
            f"EXCLUDE_CHARACTERS has {len(text)} characters", f"Name at most {MOST_EXCLUDED}."
        )
    return text


def _endpoint(environ: Mapping[str, str]) -> str | None:
    text = environ.get("SECRETS_MANAGER_ENDPOINT", "").strip()
    if not text:
        return None
    try:
        url = urlsplit(text)
        readable = url.hostname and not re.search(r"\s", text) and (url.port or True)
        valid = url.scheme in {"http", "https"} and bool(readable)
    except ValueError:
        valid = False
    if valid:
        return text
    cure = "Set it to a URL such as https://secretsmanager.eu-west-1.amazonaws.com, or not at all."
    raise _invalid(environ, "SECRETS_MANAGER_ENDPOINT", cure)


def _strategy(environ: Mapping[str, str]) -> StrategyName | None:
    text = environ.get("ROTATION_STRATEGY", "").strip()
    if not text:
        return None
    try:
        return StrategyName(text)
    except ValueError:
        pass
    raise _invalid(environ, "ROTATION_STRATEGY", f"Set it to one of {', '.join(StrategyName)}.")


def _engines(environ: Mapping[str, str]) -> frozenset[str] | None:
    text = environ.get("ROTATION_ENGINES", "").strip()
    names = frozenset(name.strip() for name in text.split(",")) - {""}
    if text and not names:
        raise _invalid(environ, "ROTATION_ENGINES", "Name engines, such as postgres.")
    return names or None


def _ca_bundle(environ: Mapping[str, str]) -> Path | None:
    text = environ.get("ROTATION_CA_BUNDLE", "").strip()
    if not text:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=text)
    except (OSError, ValueError):
        pass
    else:
        return Path(text)
    cure = "Name a readable PEM file that holds at least one CA certificate."
    raise _invalid(environ, "ROTATION_CA_BUNDLE", cure)


def _invalid(environ: Mapping[str, str], name: str, cure: str) -> InvalidSetting:
    return InvalidSetting(f"the environment variable {name} is {environ[name][:80]!r}", cure)
