"""What the examples of docs/attach have in common, and what a rotation needs of them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rotators import versions
from rotators.database.login import Login
from rotators.database.rotator import DatabaseRotator
from rotators.registry import Registry
from rotators.secret import Secret

ROOT = Path(__file__).parents[2]
ATTACH = ROOT / "docs" / "attach"
README = ATTACH / "README.md"

FUNCTIONS_ACCOUNT, SECRETS_ACCOUNT, REGION = "111122223333", "444455556666", "eu-central-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{FUNCTIONS_ACCOUNT}:function:rotators-PostgreSQL"
ROLE = f"arn:aws:iam::{FUNCTIONS_ACCOUNT}:role/rotation/rotators-PostgreSQLRole"
SECRET = f"arn:aws:secretsmanager:{REGION}:{SECRETS_ACCOUNT}:secret:app/orders-Ab12Cd"
KEY = f"arn:aws:kms:{REGION}:{SECRETS_ACCOUNT}:key/0123"
ADMIN = f"arn:aws:secretsmanager:{REGION}:{FUNCTIONS_ACCOUNT}:secret:admin/shop-Wq8ErT"

# Made in createSecret of issued secrets alone: the README names them beside.
ISSUED_ONLY = {"secretsmanager:TagResource", "secretsmanager:UntagResource"}

JSON = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What an example asks AWS for, if the function is in another account."""

    rotation: JSON
    secret: JSON
    key_policy: JSON
    secret_policy: JSON
    role_policy: JSON
    permission: JSON

    def normal(self) -> Shared:
        """The same, without what says nothing: names of statements, the order of actions."""
        return replace(
            self,
            key_policy=_normal(self.key_policy),
            secret_policy=_normal(self.secret_policy),
            role_policy=_normal(self.role_policy),
        )


def _normal(policy: JSON) -> JSON:
    statements = [
        {key: sorted(said) if isinstance(said, list) else said for key, said in one.items()}
        for one in policy["Statement"]
    ]
    for statement in statements:
        statement.pop("Sid", None)
    return {**policy, "Statement": statements}


def actions(policy: JSON) -> set[str]:
    """Every action that a policy names."""
    named = [statement["Action"] for statement in policy["Statement"]]
    return {one for said in named for one in ([said] if isinstance(said, str) else said)}


def actions_needed() -> set[str]:
    """Every call to Secrets Manager that the code can make for a chosen secret."""
    calls = re.findall(r'_errors\("(\w+)"\)', inspect.getsource(versions))
    return {f"secretsmanager:{call}" for call in calls} - ISSUED_ONLY


def values(document: Path = README) -> list[JSON]:
    """The secrets' values that a document shows, in order."""
    return [json.loads(text) for text in _blocks(document.read_text(), "json")]


def _blocks(text: str, language: str) -> Iterator[str]:
    for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE):
        yield found[2]


def login_of(value: Mapping[str, Any]) -> Login:
    """The login that a rotator reads from the value, a password added. Raises RotationError."""
    text = json.dumps({"password": "Fjp4kTz3", **value})
    rotator = Registry().load(value["engine"])
    assert issubclass(rotator, DatabaseRotator)
    return Login.of(Secret.parse(text), rotator.engine)


def broken_links(document: Path) -> list[str]:
    """Links of a document that lead to no file here, or to no heading of one."""
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text())
    return [link for link in links if not _leads_somewhere(document, link)]


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path) if path else document
    if not target.exists():
        return False
    return not anchor or anchor in {_slug(title) for title in _headings(target)}


def _headings(document: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)


def _slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
