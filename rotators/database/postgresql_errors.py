"""What PostgreSQL's and libpq's errors mean."""

from __future__ import annotations

import re
from typing import Any

from rotators import tls
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
    VerifierRefused,
)

# libpq gives no SQLSTATE for a refused login, only the server's sentence, in the language of its
# lc_messages. These are PostgreSQL's own translations (postgres-15.mo).
_WRONG_PASSWORD = re.compile(
    "password authentication failed|Passwort-Authentifizierung .*fehlgeschlagen"
    "|autentificación password falló|authentification par mot de passe échouée"
    "|autenticazione con password fallita|パスワード認証に失敗"
    "|პაროლით ავთენტიფიკაცია|password 인증을 실패"
    "|не прошёл проверку подлинности|Lösenordsautentisering misslyckades"
    "|не пройшов автентифікацію за допомогою пароля|Password 认证失败"
)
_MAY_NOT_LOG_IN = re.compile(
    "is not permitted to log in|keine Berechtigung zum Einloggen|no se le permite conectarse"
    "|n'est pas autorisé à se connecter|non è consentito effettuare il login"
    "|ログインが許可されません|როლს შესვლის უფლება არ აქვს|접속을 허용하지 않음"
    "|вход запрещён|tillåts inte logga in|вхід не дозволений|不允许角色.*进行登录"
)
_NO_TRUST = re.compile("certificate|does not support SSL|SSL error: (?!.*(?i:eof))")
METHOD = "authentication method requirement"  # what libpq calls its require_auth


def login_refused(message: str) -> RotationError:
    """What a login ended with, by libpq's message. It holds no password."""
    said = message.strip().rsplit("failed: ", 1)[-1].splitlines()[0].rstrip(".?")
    if _WRONG_PASSWORD.search(message):
        return LoginRefused(
            f"the server says: {said}",
            "Check the password, and VALID UNTIL of the role (PostgreSQL says the same for both).",
        )
    if _MAY_NOT_LOG_IN.search(message):
        return AccountLocked(f"the server says: {said}", "Allow it: ALTER ROLE … LOGIN.")
    if "permission denied for database" in message:
        return PermissionMissing(
            f"the server says: {said}", "Allow it: GRANT CONNECT ON DATABASE … TO this user."
        )
    if METHOD in message:
        return UntrustedServer(
            f"the login would prove nothing, or show the password: {said}",
            "Let pg_hba.conf ask this user for scram-sha-256.",
        )
    if "pg_hba.conf" not in message and _NO_TRUST.search(message):
        return UntrustedServer(f"no verified TLS: {said}", tls.CURE)
    return ServerUnreachable(
        f"no session: {said}",
        "Check host, port and dbname of the secret, the network between the function and the"
        " server (subnets, security groups), and whether the server takes connections.",
    )


def statement_failed(error: Any) -> RotationError:  # noqa: ANN401 psycopg is not imported here
    """What a statement ended with, by SQLSTATE. The statement itself is never repeated."""
    state = error.sqlstate
    said = f"the server says: {error.diag.message_primary or 'nothing'} ({state})"
    if state is None or state[:2] in _PASSING or state == _INTERNAL:
        return ServerUnreachable(
            f"the session ended, or the server had to give up: {said}" if state else _CUT_OFF,
            "Secrets Manager retries. If it keeps failing, look for locks, load and the network.",
        )
    if state == _INSUFFICIENT_PRIVILEGE:
        return PermissionMissing(
            said, "A user may change its own password unless the server restricts that (on RDS:"
            " rds.restrict_password_commands; then GRANT rds_password TO the user).",
        )  # fmt: skip
    if state in _READ_ONLY:
        return ReadOnlyServer(said, "Store the writer's host in the secret: this is a standby.")
    return UnexpectedError(said, "Report this as a defect, with the SQLSTATE.")


_WANTS_CLEARTEXT = "not a plain text"  # credcheck's words; its SQLSTATE varies
_PASSING = frozenset({"08", "40", "53", "55", "57", "58"})
_INTERNAL = "XX000"  # "tuple concurrently updated", when another program alters the role
_INSUFFICIENT_PRIVILEGE = "42501"
# A read-only transaction; "cannot set transaction read-write mode during recovery".
_READ_ONLY = frozenset({"25006", "0A000"})
_CUT_OFF = "the server went silent or closed the session"


def password_refused(error: RotationError) -> RotationError:
    """Why ALTER ROLE … PASSWORD was refused: if for no general reason, a policy did it."""
    if _WANTS_CLEARTEXT in error.found:
        return VerifierRefused(
            error.found,
            "A password-checking module wants cleartext, which is never sent. Allow verifiers:"
            " credcheck.encrypted_password_allowed = on.",
        )
    if not isinstance(error, UnexpectedError):
        return error
    return ValueRefused(
        error.found,
        "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to the"
        " server's policy.",
    )
