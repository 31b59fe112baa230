"""The gaps of AWS's template for SQL Server, and whom a function may not touch."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators.errors import (
    AccountLocked,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ServerUnreachable,
    UntrustedServer,
    ValueRefused,
    ValueRejected,
)
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.mysql_scene import serving, wiretap
from tests.engines.sqlserver_scene import (
    ALTERNATING,
    has_login,
    login_options,
    nothing_changes,
    rights,
    state,
    target,
)
from tests.engines.sqlserver_target import (
    Server,
    SQLServerTarget,
    any_server,
    bench_on,
    new_password,
    served,
    the_double,
)
from tests.engines.test_postgresql_gaps import played, silent_server, staged, unlabel

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from rotators.testing.certificates import Certificates


@pytest.fixture
def server(certificates: Certificates) -> Iterator[Server]:
    with any_server(certificates) as server:
        yield server


@pytest.fixture
def single(server: Server) -> Iterator[Bench]:
    with bench_on(server) as bench:
        yield bench


@pytest.fixture
def pairs(server: Server) -> Iterator[Bench]:
    with bench_on(server, ALTERNATING) as bench:
        yield bench


# ── §8.2: AWS's template pastes names, as master ──

HOSTILE = ["we]ird user", "a'; DROP LOGIN sa --", "sélect", "{0} %s %(x)s", "GRANT", "x" * 114]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(server: Server, pairs: Bench, name: str) -> None:
    target_ = target(pairs)
    name += secrets.token_hex(4)
    q, password = name.replace("]", "]]"), new_password()
    for statement in (
        f"CREATE SCHEMA [{q}]", f"CREATE ROLE [{q}]", f"CREATE TABLE [{q}].[{q}] ([{q}] int)",
    ):  # fmt: skip
        target_.do(statement)
    server.execute(f"CREATE LOGIN [{q}] WITH PASSWORD = N'{password}'")
    for statement in (
        f"CREATE USER [{q}!] FOR LOGIN [{q}] WITH DEFAULT_SCHEMA = [{q}]",
        f"ALTER ROLE [{q}] ADD MEMBER [{q}!]",
        f"GRANT SELECT ON OBJECT::[{q}].[{q}] ([{q}]) TO [{q}!]",
        f"DENY INSERT ON SCHEMA::[{q}] TO [{q}!]",
        f"GRANT CONTROL ON ROLE::[{q}] TO [{q}!] WITH GRANT OPTION",
    ):
        target_.do(statement)
    arn, _ = pairs.secret(username=name, password=password)
    for _ in range(2):
        pairs.driver.rotate(arn)
        assert rights(pairs, name) == rights(pairs, f"{name}_clone") != ()
    assert has_login(server, "sa")


@pytest.mark.parametrize("password", ["it's-aA1 ]]", "%s{}-aA1 --", "a\\'b-aA1;", "ünï-aA1 code"])
@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, ALTERNATING])
def test_hostile_passwords(server: Server, password: str, strategy: StrategyName) -> None:
    with bench_on(server, strategy) as bench:
        arn, old, token = played(bench)
        clone = "_clone" if strategy is ALTERNATING else ""
        staged(bench, arn, token, password=password, username=old["username"] + clone)
        bench.driver.retry(arn, token)
        assert bench.current(arn)["password"] == password
        assert bench.target.logs_in(bench.current(arn))


def test_the_user_is_granted_to_not_the_login(pairs: Bench) -> None:
    """AWS's template grants to the login's name, which need not be the user's."""
    arn, old = pairs.secret()
    server = target(pairs).server
    server.execute(f"CREATE LOGIN [{old['username']}_clone] WITH PASSWORD = N'{new_password()}'")
    target(pairs).do(f"CREATE USER [another name] FOR LOGIN [{old['username']}_clone]")
    pairs.target.settings = replace(pairs.target.settings, admin_reset=True)
    pairs.driver.rotate(arn)
    assert rights(pairs, old["username"]) == rights(pairs, pairs.current(arn)["username"])
    found = "SELECT name FROM sys.database_principals WHERE name = N'another name'"
    assert server.execute(found, target(pairs).database)


def test_a_login_without_a_user_in_the_database_is_told(pairs: Bench) -> None:
    """AWS's template ends in an IndexError."""
    arn, old = pairs.secret()
    target(pairs).do(f"DROP USER [{old['username']}_user]")
    with pytest.raises(PermissionMissing, match=r"4060.*CREATE USER"):
        pairs.driver.rotate(arn)


def test_a_login_without_a_user_anywhere_is_cloned(pairs: Bench) -> None:
    server = target(pairs).server
    name, password = f"lonely_{secrets.token_hex(4)}", new_password()
    server.execute(f"CREATE LOGIN [{name}] WITH PASSWORD = N'{password}'")
    arn, _ = pairs.secret(username=name, password=password, dbname="master")
    pairs.driver.rotate(arn)
    assert pairs.target.server.can_log_in(  # type: ignore[attr-defined]
        f"{name}_clone", pairs.current(arn)["password"], "master"
    )


def test_old_password_is_the_one_that_logged_in(single: Bench) -> None:
    """AWS's template sends AWSCURRENT's, also after it logged in with AWSPREVIOUS."""
    arn, old = single.secret()
    single.driver.put_by_hand(arn, {**old, "password": "of nobody"})
    single.driver.rotate(arn)
    assert single.target.logs_in(single.current(arn))
    assert not single.target.logs_in(old)


def test_double_roles_and_rights_of_every_class_are_kept_equal(pairs: Bench) -> None:
    server, t = target(pairs).server, target(pairs)
    db = the_double(server).databases[t.database]
    other = the_double(server).add_database("other db")
    things = {5: "ASSEMBLY", 15: "MESSAGE TYPE", 16: "CONTRACT", 17: "SERVICE", 19: "ROUTE",
              18: "REMOTE SERVICE BINDING", 23: "FULLTEXT CATALOG", 24: "SYMMETRIC KEY",
              25: "CERTIFICATE", 26: "ASYMMETRIC KEY", 29: "FULLTEXT STOPLIST",
              31: "SEARCH PROPERTY LIST", 32: "DATABASE SCOPED CREDENTIAL"}  # fmt: skip
    arn, old = pairs.secret()
    name, user = old["username"], f"{old['username']}_user"
    admin = pairs.target.admin["username"]  # type: ignore[index]
    db.types["dbo", "a type"] = 300
    for number in things:
        db.things[number] = {f"thing {number}": 400 + number}
    for number, kind in things.items():
        t.do(f"GRANT REFERENCES ON {kind}::[thing {number}] TO [{user}]")
    t.do(f"GRANT EXECUTE ON TYPE::[dbo].[a type] TO [{user}]")
    t.do(f"GRANT UPDATE ON OBJECT::[dbo].[t] TO [{user}] WITH GRANT OPTION")
    t.do(f"DENY DELETE ON OBJECT::[dbo].[t] TO [{user}]")
    t.do(f"GRANT SHOWPLAN TO [{user}]")
    t.do(f"GRANT INSERT ON OBJECT::[dbo].[t] TO [{user}]")
    t.do(f"REVOKE INSERT ON OBJECT::[dbo].[t] ([y]) TO [{user}]")
    server.execute(f"GRANT VIEW SERVER STATE TO [{name}]")
    server.execute(f"GRANT VIEW SERVER STATE TO [{admin}] WITH GRANT OPTION")
    for one in (admin, name):
        t.do(f"CREATE USER [{one}] FOR LOGIN [{one}]", "other db")
    t.do(f"ALTER ROLE [db_owner] ADD MEMBER [{admin}]", "other db")
    t.do(f"ALTER ROLE [db_datareader] ADD MEMBER [{name}]", "other db")
    pairs.driver.rotate(arn)
    clone = f"{name}_clone"
    for where in (t.database, other.name, ""):
        assert rights(pairs, name, where) == rights(pairs, clone, where)
    pairs.driver.rotate(arn)  # to the base, of which nothing but the password changes
    # G5, G6: and what is revoked from the base, the alternate loses; it keeps nothing of its own.
    t.do(f"REVOKE SHOWPLAN FROM [{user}]")
    t.do(f"REVOKE GRANT OPTION FOR UPDATE ON OBJECT::[dbo].[t] FROM [{user}]")
    t.do(f"ALTER ROLE [readers] DROP MEMBER [{user}]")
    t.do(f"DROP USER [{name}]", "other db")
    t.do(f"GRANT ALTER ON SCHEMA::[dbo] TO [{clone}]")
    t.do(f"DENY SELECT ON SCHEMA::[dbo] TO [{clone}]")
    base = rights(pairs, name)
    pairs.driver.rotate(arn)
    assert rights(pairs, name) == rights(pairs, clone) == base
    assert rights(pairs, clone, "other db") == ([], [])


def test_properties_of_a_login_are_the_bases(pairs: Bench) -> None:
    arn, old = pairs.secret()
    server = target(pairs).server
    said = f"DEFAULT_DATABASE = [{target(pairs).database}], DEFAULT_LANGUAGE = [Deutsch]"
    server.execute(f"ALTER LOGIN [{old['username']}] WITH {said}, CHECK_EXPIRATION = ON")
    pairs.driver.rotate(arn)
    clone = f"{old['username']}_clone"
    assert login_options(server, old["username"]) == login_options(server, clone)
    assert login_options(server, clone)[1:] == ("Deutsch", 1, 1)
    server.execute(f"ALTER LOGIN [{old['username']}] WITH CHECK_EXPIRATION = OFF")
    for _ in range(2):
        pairs.driver.rotate(arn)
    assert login_options(server, clone)[1:] == ("Deutsch", 1, 0)


# ── G2, G11: nothing half-made is promoted ──


def test_double_g2_a_grant_that_fails_is_told_and_made_up_for(server: Server, pairs: Bench) -> None:
    arn, old = pairs.secret()
    token = pairs.driver.start(arn)
    the_double(server).refuse = (
        re.compile("GRANT SELECT"),
        4613,
        "Grantor does not have permission.",
    )
    with pytest.raises(PermissionMissing, match=r"GRANT SELECT ON OBJECT::\[dbo\]\.\[t\]"):
        pairs.driver.retry(arn, token)
    assert pairs.current(arn) == old
    the_double(server).refuse = None
    pairs.driver.retry(arn, token)
    assert rights(pairs, old["username"]) == rights(pairs, f"{old['username']}_clone")


def test_g11_rights_that_are_lost_fail_the_test(pairs: Bench) -> None:
    arn, old, token = played(pairs, Step.CREATE, Step.SET)
    clone = f"{old['username']}_clone"
    target(pairs).do(f"REVOKE SELECT ON OBJECT::[dbo].[t] ([x]) FROM [{clone}]")  # noqa: S608
    target(pairs).do(f"ALTER ROLE [readers] DROP MEMBER [{clone}]")
    with pytest.raises(PermissionMissing, match=r"GRANT SELECT ON OBJECT::\[dbo\]\.\[t\]"):
        pairs.driver.step(arn, token, Step.TEST)


def test_a_crash_after_create_login_is_healed(server: Server, pairs: Bench) -> None:
    arn, old, token = played(pairs, Step.CREATE)
    clone = f"{old['username']}_clone"
    points = CrashPoints()

    def crash(point: str) -> None:
        if point == "after execute" and has_login(server, clone):
            points.at = len(points.seen) - 1

    points = pairs.points = CrashPoints(watch=crash)
    with pytest.raises(Crash):
        pairs.driver.step(arn, token, Step.SET)
    pairs.points = None
    pairs.driver.retry(arn, token)
    assert rights(pairs, old["username"]) == rights(pairs, clone)


# ── G3, G13: passwords that are found, logins that are not wasted ──


def test_g3_a_password_in_a_version_without_label_is_found(single: Bench) -> None:
    arn, old, token = played(single, Step.CREATE, Step.SET)
    unlabel(single, arn, token)
    single.driver.rotate(arn)
    assert single.target.logs_in(single.current(arn))
    assert not single.target.logs_in(old)


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, ALTERNATING])
def test_double_g13_a_rotation_costs_no_refused_login(
    server: Server, strategy: StrategyName
) -> None:
    the_double(server)
    with bench_on(server, strategy) as bench:
        arn, _ = bench.secret()
        for _ in range(3):
            bench.driver.rotate(arn)
    assert the_double(server).refused == []


@pytest.mark.parametrize("number", [18486, 18487, 18488, 18470])
@pytest.mark.parametrize("before", [False, True])
def test_double_g13_a_locked_account_ends_the_search(
    server: Server, single: Bench, number: int, *, before: bool
) -> None:
    """Also where a login of this process was refused before, which pymssql does not get over."""
    double = the_double(server)
    arn, old, token = played(single, Step.CREATE)
    if before:
        other, _ = single.secret(password="wrong")
        with pytest.raises(LoginRefused):
            single.driver.rotate(other)
    double.logins[old["username"]].barred = number
    points = single.points = CrashPoints()
    with pytest.raises(AccountLocked, match=str(number)) as caught:
        single.driver.step(arn, token, Step.SET)
    assert points.seen.count("before open") == 1
    assert "ALTER LOGIN" in caught.value.cure or "ENABLE" in caught.value.cure


def test_double_g13_a_lock_out_by_the_rotation_itself_is_told(
    server: Server, single: Bench
) -> None:
    the_double(server).lockout = 2
    arn, old = single.secret()
    for _ in range(4):
        single.driver.put_by_hand(arn, {**old, "password": uuid.uuid4().hex})
    with pytest.raises(AccountLocked, match="18486"):
        single.driver.rotate(arn)
    assert len(the_double(server).refused) == 2


# ── G12: TLS ──


@pytest.mark.parametrize("fault", ["unknown authority", "wrong name"])
def test_double_g12_an_untrusted_server_gets_no_password(
    certificates: Certificates, fault: str
) -> None:
    pair = certificates.wrong_name if fault == "wrong name" else certificates.server
    trusted = certificates.unrelated_ca if fault == "unknown authority" else certificates.ca
    with served(certificates, pair) as server, bench_on(server) as bench:
        bench.target.settings = Settings(ca_bundle=trusted)
        arn, _ = bench.secret()
        tried: list[str] = []

        def log_in(name: str, *_: str) -> tuple[None, list[Any]]:
            tried.append(name)
            return None, []

        the_double(server).log_in = log_in  # type: ignore[assignment]
        with pytest.raises(UntrustedServer, match="no verified TLS") as caught:
            bench.driver.rotate(arn)
        assert tried == []
        assert "ROTATION_CA_BUNDLE" in caught.value.cure
        assert '"ssl": false' in caught.value.cure


def test_g12_a_server_without_tls_gets_no_password(single: Bench) -> None:
    heard = bytearray()
    # PRELOGIN's answer: one option, ENCRYPTION, at 6, of one byte: not supported.
    answer = bytes.fromhex("0401000f00000100 0100060001ff02")

    def talk(line: socket.socket) -> None:
        while said := line.recv(4096):
            heard.extend(said)
            line.sendall(answer)

    with serving(talk) as port:
        arn, old = single.secret(port=port)
        with pytest.raises(UntrustedServer, match="does not offer it") as caught:
            single.driver.rotate(arn)
    assert "ROTATION_CA_BUNDLE" in caught.value.cure
    assert old["username"].encode("utf-16-le") not in heard


def test_double_g12_plaintext_only_where_the_secret_says_so(server: Server, single: Bench) -> None:
    """And even then the login's own packet is encrypted, if the server can do it."""
    the_double(server)
    with wiretap(server) as (port, heard):  # type: ignore[arg-type]  # it asks for a port only
        arn, old = single.secret(port=port, ssl=False)
        single.driver.test_only(arn)
        password = old["password"].encode("utf-16-le")
        obfuscated = bytes((b << 4 & 0xF0 | b >> 4) ^ 0xA5 for b in password)
        assert "ORIGINAL_LOGIN".encode("utf-16-le") in heard
        assert password not in heard
        assert obfuscated not in heard
        single.driver.rotate(arn)
    assert single.target.logs_in(single.current(arn))


def test_double_g12_tls_hides_everything(server: Server, single: Bench) -> None:
    the_double(server)
    with wiretap(server) as (port, heard):  # type: ignore[arg-type]  # as above
        arn, old = single.secret(port=port)
        single.driver.rotate(arn)
    assert heard
    for text in (old["username"], single.current(arn)["password"], "ALTER LOGIN"):
        assert text.encode("utf-16-le") not in heard


def test_the_environment_is_left_as_it_was(single: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("/somebody/elses.conf", None):
        if value is None:
            monkeypatch.delenv("FREETDSCONF", raising=False)
        else:
            monkeypatch.setenv("FREETDSCONF", value)
        arn, _ = single.secret()
        single.driver.rotate(arn)
        assert os.environ.get("FREETDSCONF") == value


# ── G14, G15: silence, and nobody there ──


@pytest.mark.parametrize("ssl", [True, False])
def test_g14_g15_a_silent_server_ends_in_time(single: Bench, *, ssl: bool) -> None:
    with silent_server() as (port, _):
        arn, _ = single.secret(port=port, ssl=ssl)
        token = single.driver.start(arn)
        single.driver.step(arn, token, Step.CREATE)
        driver = type(single.driver)(single.simulator, single.handle, seconds=4)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="no session"):
            driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 4


def test_double_g15_a_server_that_goes_silent_in_a_session(server: Server, single: Bench) -> None:
    the_double(server)
    arn, _, token = played(single, Step.CREATE)
    driver = type(single.driver)(single.simulator, single.handle, seconds=3)

    def watch(point: str) -> None:
        server.listener.silent = point == "before set_password" or server.listener.silent

    single.points = CrashPoints(watch=watch)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable):
        driver.step(arn, token, Step.SET)
    assert time.monotonic() - began < 4
    single.points = None
    server.listener.silent = False
    single.driver.retry(arn, token)
    assert single.target.logs_in(single.current(arn))


def test_nobody_there_is_no_refused_login(single: Bench) -> None:
    """pymssql repeats the number of the login that failed before (18456)."""
    arn, _ = single.secret(password="wrong")
    with pytest.raises(LoginRefused):
        single.driver.rotate(arn)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other, _ = single.secret(port=port)
    with pytest.raises(ServerUnreachable):
        single.driver.rotate(other)


# ── rule 8: values that the server refuses ──


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, ALTERNATING])
@pytest.mark.parametrize("weak", ["short", "alllowercaseletters", "aA1-" * 40])
def test_a_value_that_the_policy_refuses_is_given_up(
    server: Server, strategy: StrategyName, weak: str
) -> None:
    with bench_on(server, strategy) as bench:
        arn, old, token = played(bench)
        clone = "_clone" if strategy is ALTERNATING else ""
        staged(bench, arn, token, username=old["username"] + clone, password=weak)
        with pytest.raises(ValueRejected) as caught:
            bench.driver.step(arn, token, Step.SET)
        assert weak[:20] not in str(caught.value)
        assert token not in bench.simulator.labels(arn)
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))


# ── contained databases ──


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, ALTERNATING])
def test_users_of_contained_databases(server: Server, strategy: StrategyName) -> None:
    with bench_on(server, strategy, contained=True) as bench:
        arn, old = bench.secret()
        for _ in range(3):
            bench.driver.rotate(arn)
            assert bench.target.logs_in(bench.current(arn))
        assert not has_login(server, old["username"])
        if strategy is ALTERNATING:
            clone = f"{old['username']}_clone"
            assert rights(bench, old["username"]) == rights(bench, clone) != ()
        else:
            assert not bench.target.logs_in(old)


# ── G1: who may touch whom ──


def test_g1_a_user_named_as_an_alternate_takes_nobody_over(server: Server, pairs: Bench) -> None:
    victim, _ = target(pairs).new_login()
    attacker, password = f"{victim}_clone", new_password()
    server.execute(f"CREATE LOGIN [{attacker}] WITH PASSWORD = N'{password}'")
    target(pairs).do(f"CREATE USER [{attacker}] FOR LOGIN [{attacker}]")
    arn, _ = pairs.secret(username=attacker, password=password)
    with nothing_changes(server, ForbiddenTarget, "nothing proves"):
        pairs.driver.rotate(arn)


def in_master(name: str, of: SQLServerTarget) -> None:
    of.do(f"CREATE USER [{name}] FOR LOGIN [{name}]", "master")
    of.do(f"ALTER ROLE [db_owner] ADD MEMBER [{name}]", "master")


POWERS: dict[str, Callable[[str, SQLServerTarget], None]] = {
    "sysadmin": lambda n, t: t.do(f"ALTER SERVER ROLE [sysadmin] ADD MEMBER [{n}]", "master"),
    "securityadmin": lambda n, t: t.do(
        f"ALTER SERVER ROLE [securityadmin] ADD MEMBER [{n}]", "master"
    ),
    "CONTROL SERVER": lambda n, t: t.do(f"GRANT CONTROL SERVER TO [{n}]", "master"),
    "ALTER ANY LOGIN": lambda n, t: t.do(f"GRANT ALTER ANY LOGIN TO [{n}]", "master"),
    "IMPERSONATE": lambda n, t: t.do(f"GRANT IMPERSONATE ON LOGIN::[sa] TO [{n}]", "master"),
    "db_owner in master": in_master,
}


@pytest.mark.parametrize("power", POWERS)
def test_g1_powerful_users_are_no_pairs(server: Server, pairs: Bench, power: str) -> None:
    arn, old = pairs.secret()
    POWERS[power](old["username"], target(pairs))
    pairs.target.settings = replace(pairs.target.settings, admin_reset=True)
    with nothing_changes(server, ForbiddenTarget, f"administrative rights: .*{power}"):
        pairs.driver.rotate(arn)


def test_g1_roles_are_followed(server: Server, pairs: Bench) -> None:
    arn, old = pairs.secret()
    outer, inner = (f"role_{secrets.token_hex(4)}" for _ in range(2))
    for statement in (
        f"CREATE SERVER ROLE [{outer}]", f"CREATE SERVER ROLE [{inner}]",
        f"GRANT ALTER ANY CREDENTIAL TO [{outer}]",
        f"ALTER SERVER ROLE [{outer}] ADD MEMBER [{inner}]",
        f"ALTER SERVER ROLE [{inner}] ADD MEMBER [{old['username']}]",
    ):  # fmt: skip
        server.execute(statement)
    with nothing_changes(server, ForbiddenTarget, "ALTER ANY CREDENTIAL"):
        pairs.driver.rotate(arn)


def test_g1_a_trustworthy_database_leads_outside(server: Server, pairs: Bench) -> None:
    arn, old = pairs.secret()
    target(pairs).do(f"ALTER ROLE [db_owner] ADD MEMBER [{old['username']}_user]")
    pairs.driver.rotate(arn)  # its own database's owner may be one of a pair
    server.execute(f"ALTER DATABASE [{target(pairs).database}] SET TRUSTWORTHY ON")
    with nothing_changes(server, ForbiddenTarget, "db_owner in "):
        pairs.driver.rotate(arn)


@pytest.mark.parametrize("who", ["sa", "the admin", "another"])
def test_a_secret_rewritten_to_name_somebody_else_changes_nothing(
    server: Server, pairs: Bench, who: str
) -> None:
    arn, old = pairs.secret()
    names = {"sa": "sa", "the admin": pairs.target.admin["username"]}  # type: ignore[index]
    name = names.get(who) or target(pairs).new_login()[0]
    pairs.driver.put_by_hand(arn, {**old, "username": name})
    pairs.target.settings = replace(pairs.target.settings, admin_reset=True)
    before = state(server)
    with pytest.raises(LoginRefused, match="AWSCURRENT does not log in"):
        pairs.driver.rotate(arn)
    assert state(server) == before


def test_an_admin_never_resets_itself_or_sa(server: Server, pairs: Bench) -> None:
    admin: Any = pairs.target.admin
    pairs.target.settings = Settings(
        ca_bundle=server.ca, strategy=StrategyName.SINGLE_USER, admin_reset=True
    )
    for name in ("sa", admin["username"], admin["username"].upper()):
        arn, _ = pairs.secret(username=name)
        with nothing_changes(server, LoginRefused, "administrative rights"):
            pairs.driver.rotate(arn)


def test_an_admin_resets_where_that_is_allowed(server: Server, pairs: Bench) -> None:
    settings = Settings(ca_bundle=server.ca, strategy=StrategyName.SINGLE_USER)
    pairs.target.settings = settings
    arn, _ = pairs.secret(password="lost")
    token = pairs.driver.start(arn)
    with nothing_changes(server, LoginRefused, "ROTATION_ADMIN_RESET=true"):
        pairs.driver.retry(arn, token)
    pairs.target.settings = replace(settings, admin_reset=True)
    pairs.driver.retry(arn, token)
    assert pairs.target.logs_in(pairs.current(arn))


def test_an_admin_without_rights_is_told_the_grants(server: Server, pairs: Bench) -> None:
    arn, _ = pairs.secret()
    name, password = target(pairs).new_login()
    weak = pairs.simulator.create_secret("weak", server.secret(name, password))
    pairs.driver.put_by_hand(arn, {**pairs.current(arn), "masterarn": weak})
    with pytest.raises(PermissionMissing, match="may not do") as caught:
        pairs.driver.rotate(arn)
    assert f"GRANT ALTER ANY LOGIN, VIEW ANY DEFINITION TO [{name}]" in caught.value.cure


@pytest.mark.parametrize("what", ["role", "contained user"])
def test_a_name_that_is_taken_is_no_alternate(server: Server, pairs: Bench, what: str) -> None:
    arn, old = pairs.secret()
    clone = f"{old['username']}_clone"
    if what == "role":
        target(pairs).do(f"CREATE ROLE [{clone}]")
    else:
        server.allow_contained()
        server.execute(f"ALTER DATABASE [{target(pairs).database}] SET CONTAINMENT = PARTIAL")
        target(pairs).do(f"CREATE USER [{clone}] WITH PASSWORD = N'{new_password()}'")
    pairs.target.settings = replace(pairs.target.settings, admin_reset=True)
    kinds = (ForbiddenTarget, MisconfiguredSecret)
    before = state(server)
    with pytest.raises(kinds):
        pairs.driver.rotate(arn)
    assert state(server) == before


def test_provisioned_pairs_get_passwords_and_nothing_else(server: Server, pairs: Bench) -> None:
    pairs.target.settings = replace(pairs.target.settings, provisioned=True, admin_reset=True)
    arn, old = pairs.secret()
    with pytest.raises(MisconfiguredSecret, match="there is no user"):
        pairs.driver.rotate(arn)
    assert not has_login(server, f"{old['username']}_clone")


def test_double_a_value_refused_while_awscurrent_is_refused_keeps_its_label(
    server: Server, single: Bench
) -> None:
    double = the_double(server)
    arn, old, token = played(single)
    staged(single, arn, token, password="weak")

    def watch(point: str) -> None:
        if point == "before set_password":
            double.logins[old["username"]].password = "changed by a person"

    double.refuse = (re.compile("OLD_PASSWORD"), 15118, "It is not complex enough.")
    single.points = CrashPoints(watch=watch)
    with pytest.raises(ValueRefused):
        single.driver.step(arn, token, Step.SET)
    assert "AWSPENDING" in single.simulator.labels(arn)[token]
