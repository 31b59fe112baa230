"""What an account of MySQL or MariaDB has besides rights and a password."""

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


def _literal(text: str) -> str:
    """Of text that holds no password; the session's sql_mode is empty."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
