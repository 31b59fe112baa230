"""What PostgreSQL says, in which language, and what it means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rotators.database.postgresql_errors import (
    login_refused,
    password_refused,
    statement_failed,
)
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

CONNECTING = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '

# PostgreSQL 15's own catalogues of messages.
WRONG_PASSWORD = {
    "en": 'FATAL:  password authentication failed for user "app"',
    "de": "FATAL:  Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen",
    "es": "FATAL:  la autentificación password falló para el usuario «app»",
    "fr": "FATAL:  authentification par mot de passe échouée pour l'utilisateur  « app »",
    "it": 'FATALE:  autenticazione con password fallita per l\'utente "app"',
    "ja": 'FATAL:  ユーザー"app"のパスワード認証に失敗しました',
    "ka": 'ფატალური:  პაროლით ავთენტიფიკაცია მომხმარებლისთვის "app" ვერ მოხერხდა',
    "ko": '치명적오류:  사용자 "app"의 password 인증을 실패했습니다',
    "ru": 'ВАЖНО:  пользователь "app" не прошёл проверку подлинности (по паролю)',
    "sv": 'FATALT:  Lösenordsautentisering misslyckades för användare "app"',
    "uk": 'ФАТАЛЬНО:  користувач "app" не пройшов автентифікацію за допомогою пароля',
    "zh_CN": '致命错误:  用户 "app" Password 认证失败',
}
NO_LOGIN = {
    "en": 'FATAL:  role "app" is not permitted to log in',
    "de": "FATAL:  Rolle »app« hat keine Berechtigung zum Einloggen",
    "es": "FATAL:  al rol «app» no se le permite conectarse",
    "fr": "FATAL:  le rôle « app » n'est pas autorisé à se connecter",
    "it": 'FATALE:  al ruolo "app" non è consentito effettuare il login',
    "ja": 'FATAL:  ロール"app"はログインが許可されません',
    "ka": "ფატალური:  როლს შესვლის უფლება არ აქვს: app",
    "ko": '치명적오류:  "app" 롤은 접속을 허용하지 않음',
    "ru": 'ВАЖНО:  для роли "app" вход запрещён',
    "sv": 'FATALT:  roll "app" tillåts inte logga in',
    "uk": 'ФАТАЛЬНО:  для ролі "app" вхід не дозволений',
    "zh_CN": '致命错误:  不允许角色"app" 进行登录',
}
UNTRUSTED = (
    "SSL error: certificate verify failed",
    'server certificate for "elsewhere" does not match host name "db"',
    "server does not support SSL, but SSL was required",
    "SSL error: tlsv1 alert protocol version",
    'authentication method requirement "!none" failed: server did not complete authentication',
)
UNREACHABLE = (
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    "connection timeout expired",
    'could not translate host name "db" to address: Name or service not known',
    "SSL SYSCALL error: EOF detected",
    "SSL error: unexpected eof while reading",
    "server closed the connection unexpectedly",
    "FATAL:  sorry, too many clients already",
    "FATAL:  the database system is starting up",
    'FATAL:  database "nodb" does not exist',
    'FATAL:  no pg_hba.conf entry for host "10.0.0.8", user "app", database "x", SSL encryption',
    "FATAL:  a sentence in a language that nobody knows",
)


@pytest.mark.parametrize("language", WRONG_PASSWORD)
def test_a_wrong_password_is_known_in_every_language(language: str) -> None:
    assert type(login_refused(CONNECTING + WRONG_PASSWORD[language])) is LoginRefused


@pytest.mark.parametrize("language", NO_LOGIN)
def test_a_role_without_login_is_known_in_every_language(language: str) -> None:
    assert type(login_refused(CONNECTING + NO_LOGIN[language])) is AccountLocked


def test_a_database_that_a_user_may_not_connect_to_is_told_with_the_grant() -> None:
    error = login_refused(CONNECTING + 'FATAL:  permission denied for database "shop"')
    assert type(error) is PermissionMissing
    assert "GRANT CONNECT" in error.cure


@pytest.mark.parametrize("said", UNTRUSTED)
def test_a_server_that_proves_nothing_is_not_trusted(said: str) -> None:
    assert type(login_refused(CONNECTING + said)) is UntrustedServer


@pytest.mark.parametrize("said", UNREACHABLE)
def test_all_else_is_no_session_and_never_a_wrong_password(said: str) -> None:
    error = login_refused(CONNECTING + said)
    assert type(error) is ServerUnreachable
    assert said.splitlines()[0].rstrip(".?") in error.found
    assert "\n" not in error.found


def failed(state: str | None, message: str | None = "it says no") -> RotationError:
    error: Any = SimpleNamespace(sqlstate=state, diag=SimpleNamespace(message_primary=message))
    return statement_failed(error)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("42501", PermissionMissing),
        ("25006", ReadOnlyServer),
        ("0A000", ReadOnlyServer),
        ("57014", ServerUnreachable),
        ("55P03", ServerUnreachable),
        ("40P01", ServerUnreachable),
        ("53300", ServerUnreachable),
        ("08006", ServerUnreachable),
        ("XX000", ServerUnreachable),
        ("42601", UnexpectedError),
        ("22023", UnexpectedError),
    ],
)
def test_an_sqlstate_says_what_kind_it_is(state: str, kind: type[RotationError]) -> None:
    error = failed(state)
    assert type(error) is kind
    assert f"it says no ({state})" in error.found


def test_a_session_that_was_cut_off_says_so() -> None:
    error = failed(None, None)
    assert type(error) is ServerUnreachable
    assert "went silent" in error.found


def test_a_password_that_no_general_reason_refuses_is_refused_by_policy() -> None:
    assert type(password_refused(failed("22023"))) is ValueRefused
    assert type(password_refused(failed("28000"))) is ValueRefused
    assert type(password_refused(failed("42501"))) is PermissionMissing
    assert type(password_refused(failed("57014"))) is ServerUnreachable


@pytest.mark.parametrize("state", ["28000", "XX000"])  # by credcheck's version
def test_a_module_that_wants_cleartext_is_told_from_a_policy(state: str) -> None:
    error = password_refused(failed(state, "password type is not a plain text"))
    assert type(error) is VerifierRefused
    assert "credcheck.encrypted_password_allowed" in error.cure
