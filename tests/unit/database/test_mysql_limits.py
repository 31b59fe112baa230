"""What MySQL sets to a rotation: refused before anything is changed, or left alone."""

from __future__ import annotations

import pytest

from rotators.database.mysql_limits import OF_DUAL_PASSWORD, require_patience, require_version
from rotators.errors import MisconfiguredSecret


@pytest.mark.parametrize("said", ["5.7.44-log", "5.5.30", "8.0.11-TiDB-v7.5.0", "8.0.13"])
def test_a_version_that_cannot_discard_passwords_is_refused(said: str) -> None:
    with pytest.raises(MisconfiguredSecret, match=said.partition("-")[0]) as caught:
        require_version(said)
    assert "8.0.21" in caught.value.cure


@pytest.mark.parametrize(
    "said",
    ["8.0.14", "8.0.36-28", "8.4.0", "9.7.4", "10.0.0", "8.0.mysql_aurora.3.04", "eight", ""],
)
def test_other_versions_pass_and_what_is_none(said: str) -> None:
    require_version(said)


@pytest.mark.parametrize(
    ("attempts", "locks"),
    [
        ("", False),
        (" FAILED_LOGIN_ATTEMPTS 1", False),
        (" FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED", True),
        (" FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 3", True),
        (" FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 3", False),
        (" FAILED_LOGIN_ATTEMPTS 10 PASSWORD_LOCK_TIME UNBOUNDED", False),
    ],
)
def test_an_account_that_one_refused_login_or_two_could_lock(attempts: str, *, locks: bool) -> None:
    said = (
        "CREATE USER `app`@`10.%` IDENTIFIED WITH 'caching_sha2_password' AS <secret> REQUIRE NONE"
        f" PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD REQUIRE CURRENT DEFAULT{attempts}"
    )
    if not locks:
        require_patience(said, OF_DUAL_PASSWORD)
        return
    with pytest.raises(MisconfiguredSecret, match=r"`app`@`10\.%` has FAILED") as caught:
        require_patience(said, OF_DUAL_PASSWORD)
    assert "ALTER USER `app`@`10.%` FAILED_LOGIN_ATTEMPTS 3" in caught.value.cure
