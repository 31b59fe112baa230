"""What an account of MySQL or MariaDB has besides rights and a password, written again."""

from __future__ import annotations

from typing import NamedTuple

from rotators.database.pymysql_engine import Sql


class Properties(NamedTuple):
    """What an account has besides rights and a password, as columns of mysql.user."""

    plugin: str
    ssl_type: str
    ssl_cipher: str
    x509_issuer: str
    x509_subject: str
    max_questions: int
    max_updates: int
    max_connections: int
    max_user_connections: int

    def options(self) -> Sql:
        """REQUIRE and WITH, complete: what the account had before counts no more."""
        named = {
            "CIPHER": self.ssl_cipher,
            "ISSUER": self.x509_issuer,
            "SUBJECT": self.x509_subject,
        }
        kinds = {"": "NONE", "ANY": "SSL", "X509": "X509"}
        require = kinds.get(self.ssl_type) or " AND ".join(
            f"{name} {_literal(value)}" for name, value in named.items() if value
        )
        return Sql(
            f"REQUIRE {require} WITH MAX_QUERIES_PER_HOUR {self.max_questions}"
            f" MAX_UPDATES_PER_HOUR {self.max_updates}"
            f" MAX_CONNECTIONS_PER_HOUR {self.max_connections}"
            f" MAX_USER_CONNECTIONS {self.max_user_connections}"
        )


class Policy(NamedTuple):
    """What MySQL asks of an account's passwords; None where the server's default is to count."""

    lifetime: int | None
    history: int | None
    reuse: int | None
    current: str | None
    attempts: str | None
    locked: str | None

    def options(self) -> Sql:
        """All of it, so what the account had before counts no more."""
        history = "DEFAULT" if self.history is None else self.history
        reuse = "DEFAULT" if self.reuse is None else f"{self.reuse} DAY"
        current = {"Y": "", "N": "OPTIONAL"}.get(self.current or "", "DEFAULT")
        locked = "UNBOUNDED" if self.locked == "-1" else self.locked or 0
        return Sql(
            f"{expiry(self.lifetime)} PASSWORD HISTORY {history} PASSWORD REUSE INTERVAL {reuse}"
            f" PASSWORD REQUIRE CURRENT {current} FAILED_LOGIN_ATTEMPTS {self.attempts or 0}"
            f" PASSWORD_LOCK_TIME {locked}"
        )


# Its fields, in mysql.user.
POLICY_COLUMNS = (
    "password_lifetime, Password_reuse_history, Password_reuse_time, Password_require_current,"
    " User_attributes->>'$.Password_locking.failed_login_attempts',"
    " User_attributes->>'$.Password_locking.password_lock_time_days'"
)


def expiry(lifetime: int | None) -> Sql:
    """When its passwords expire, in days; the server's default is kept as NULL or -1."""
    if lifetime is None or lifetime < 0:
        return Sql("PASSWORD EXPIRE DEFAULT")
    return Sql(f"PASSWORD EXPIRE {f'INTERVAL {lifetime} DAY' if lifetime else 'NEVER'}")


def _literal(text: str) -> str:
    """Of text that holds no password; the session's sql_mode is empty."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
