"""The admin's login: the secret that ``masterarn`` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators import rds
from rotators.database.login import Login
from rotators.errors import ForbiddenTarget, MisconfiguredSecret, RotationError

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.users import AdministersUsers, User
    from rotators.rds import Lookups
    from rotators.rotator import Rotation
    from rotators.secret import Secret

# What a secret holds that RDS manages by itself; the rest is in its tags.
_MANAGED = frozenset({"username", "password"})


@contextmanager
def admin_session(
    rotation: Rotation, current: Login, engine: AdministersUsers
) -> Iterator[Session]:
    """A session of the admin, on the server of ``current``. Raises as ``admin_login``."""
    admin = admin_login(rotation, current, type(engine), engine.lookups())
    try:
        session = engine.open(admin, rotation.deadline)
    except RotationError as error:
        raise error.about(
            host=admin.host, user=admin.username, admin=rotation.current.text("masterarn")
        ) from None
    try:
        yield session
    finally:
        engine.close(session)


@contextmanager
def helping_admin(
    rotation: Rotation, login: Login, engine: AdministersUsers
) -> Iterator[tuple[Session, User]]:
    """An admin's session, and the user of ``login``, which it may act on.

    Raises as ``admin_login``, and MisconfiguredSecret or ForbiddenTarget for the user.
    """
    with admin_session(rotation, login, engine) as admin:
        with engine.locked(admin, login.username):
            user = harmless_user(rotation, admin, login.username, engine)
        yield admin, user


def harmless_user(
    rotation: Rotation, admin: Session, username: str, engine: AdministersUsers
) -> User:
    """The user that is there and may be acted on, within ``locked``; else raises."""
    user = engine.look(admin, username)
    if user is None:
        raise MisconfiguredSecret(
            f"the admin sees no user {username!r}",
            "Store the name of a user of this very server, spelled as the server spells it.",
        )
    require_harmless(user, rotation.secret_arn)
    return user


def require_harmless(user: User, secret_arn: str) -> None:
    """Raises ForbiddenTarget for a user that no admin may act on for this secret."""
    if user.privileges:
        raise ForbiddenTarget(
            f"user {user.name!r} holds administrative rights: {', '.join(user.privileges)}",
            "Rotate it by single-user, without its admin's help, or take those rights from it.",
        )
    mark = user.mark
    if mark is not None and (mark.secret_arn != secret_arn or user.name not in mark.users):
        raise ForbiddenTarget(
            f"user {user.name!r} belongs to the secret {mark.secret_arn}, as one of"
            f" {' and '.join(mark.users)}",
            "Let each user have one secret. If that secret is gone, take the mark from the user's"
            " comment (or attribute, or custom data).",
        )


def admin_login(
    rotation: Rotation, current: Login, engine: type[AdministersUsers], lookups: Lookups
) -> Login:
    """The admin's login to the server of ``current``, and, if that matters, to its database.

    Its host and port have to be the same, or its host the one that ``current``'s is a reader or
    replica of. Raises MisconfiguredSecret, ForbiddenTarget, AccessDenied.
    """
    arn = rotation.current.text("masterarn")
    try:
        secret = rotation.secret(arn)
        if secret.keys() == _MANAGED:
            secret = _described(rotation, arn, secret, lookups)
        admin = Login.of(secret, engine)
    except RotationError as error:
        raise error.about(admin=arn) from None
    dbname = current.dbname if engine.admins_share_dbname else engine.default_dbname
    admin = replace(admin, host=rds.writer_of(admin.host), dbname=dbname)
    if _same_server(current, admin, lookups):
        return admin
    raise ForbiddenTarget(
        f"the secret is for {current.host}:{current.port}, its admin for {admin.host}:{admin.port}:"
        " not one database, nor a replica of it",
        "Mend 'masterarn', or one of the hosts: two names of one server count as two, unless they"
        " are RDS's.",
    ).about(admin=arn)


def _same_server(current: Login, admin: Login, lookups: Lookups) -> bool:
    """Whether AWSCURRENT's login proves anything on the admin's server."""
    one, other = (login.host.removesuffix(".").lower() for login in (current, admin))
    if one == other:
        # Another port may be anybody's server, which lets in whom it likes.
        return current.port == admin.port
    return lookups.same_database(one, other)


def _described(rotation: Rotation, arn: str, secret: Secret, lookups: Lookups) -> Secret:
    endpoint = lookups.managed_endpoint(rotation.tags(arn))
    if endpoint is None:
        raise MisconfiguredSecret(
            "the admin secret has only username and password, and no tag of RDS says where",
            "Add engine and host to it, or name the secret that RDS manages.",
        )
    return secret.replace(engine=endpoint.engine, host=endpoint.host, port=endpoint.port)
