"""Faults of AWS's template and of servers that concern a single user, on the double of Redshift."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rotators.errors import (
    AccountLocked,
    ForbiddenTarget,
    InvalidSetting,
    LoginRefused,
    MisconfiguredSecret,
    RotationError,
    ServerUnreachable,
    UntrustedServer,
)
from rotators.passwords import PasswordPolicy
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.crashes import CrashPoints
from tests.engines.redshift_target import Hash, Server, bench_on, quoted, redshift_server
from tests.engines.test_postgresql_gaps import played, silent_server, staged, unlabel

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from rotators.testing.certificates import Certificates
    from tests.servers import PrivatePostgreSQL

HASHES: tuple[Hash, ...] = ("md5", "sha256")
NASTY = (
    "it's",
    'we"ird user;--',
    "per%cent %s %(x)s",
    " blanks around ",
    "semi;colon; DROP USER postgres",
    "dollar $1 $$ $body$",
    "ünïcödé ключ 密码",
    "{brace} {}",
    "current_user",
    "MixedCase",
)


@pytest.fixture(scope="module")
def server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    with redshift_server(private_postgresql) as server:
        yield server


@pytest.fixture
def bench(server: Server) -> Iterator[Bench]:
    with bench_on(server) as bench:
        yield bench


# ── what is sent ──


@pytest.mark.parametrize("hashed", HASHES)
def test_a_user_keeps_the_kind_of_hash_that_its_clients_know(server: Server, hashed: Hash) -> None:
    with bench_on(server, hashed=hashed) as bench:
        arn, old = bench.secret()
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))
        said = [one for one in server.said() if f'ALTER USER "{old["username"]}"' in one]
    assert len(said) == 1
    assert ("PASSWORD 'md5" in said[0]) == (hashed == "md5")
    assert ("PASSWORD 'sha256|" in said[0]) == (hashed == "sha256")


def test_g16_no_password_is_in_a_statement_or_the_servers_log(server: Server) -> None:
    for strategy in (StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS):
        with bench_on(server, strategy) as bench:
            arn, _ = bench.secret()
            for _ in range(3):
                bench.driver.rotate(arn)
            said = "\n".join(one for one in server.said() if "CREATE USER u_" not in one)
            made = {bench.current(arn)["password"], bench.labelled(arn)["AWSPREVIOUS"]["password"]}
            assert "PASSWORD 'sha256|" in said
            assert not [one for one in made if one in server.log_text()]


@pytest.mark.parametrize("hashed", HASHES)
@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_user_name(server: Server, bench: Bench, name: str, hashed: Hash) -> None:
    name = f"{name} {hashed}"
    other, password = server.create_user(name.lower() + " other", hashed)
    _, first = server.create_user(name, hashed)
    arn = bench.simulator.create_secret("nasty", server.secret(name, first))
    bench.driver.rotate(arn)
    assert server.can_log_in(name, bench.current(arn)["password"])
    assert not server.can_log_in(name, first)
    assert server.can_log_in(other, password)


@pytest.mark.parametrize(
    "password", ['it\'s "q"', "back\\slash", "per%cent %s", "😀ключ", "y" * 500]
)
def test_a_nasty_password(server: Server, bench: Bench, password: str) -> None:
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    staged(bench, arn, token, password=password)
    bench.driver.retry(arn, token)
    assert server.can_log_in(old["username"], password)
    assert not bench.target.logs_in(old)


def test_a_user_whose_settings_are_its_own(server: Server, bench: Bench) -> None:
    arn, old = bench.secret()
    server.execute(f'ALTER USER "{old["username"]}" SET search_path TO hostile, pg_catalog')
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))


# ── password rules, which a hash would pass unchecked ──


@pytest.mark.parametrize("length", [7, 65, 4096])
def test_a_length_that_redshift_refuses_is_refused_first(bench: Bench, length: int) -> None:
    policy = PasswordPolicy(length=length)
    bench.target.settings = Settings(ca_bundle=bench.target.settings.ca_bundle, passwords=policy)
    arn, _ = bench.secret()
    token = bench.driver.start(arn)
    with pytest.raises(InvalidSetting, match="PASSWORD_LENGTH"):
        bench.driver.step(arn, token, Step.CREATE)
    assert bench.simulator.value(arn, version_id=token) is None


# ── G12: nobody gets a password who is not trusted ──


@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "no tls"])
def test_g12_an_untrusted_server_gets_no_password(
    server: Server, certificates: Certificates, fault: str
) -> None:
    tls = {"wrong name": certificates.wrong_name, "no tls": None}.get(fault, certificates.server)
    trusted = certificates.unrelated_ca if fault == "unknown authority" else certificates.ca
    with (
        server.fronted(tls) as other,
        bench_on(other, settings=Settings(ca_bundle=trusted)) as bench,
    ):
        arn, old = bench.secret()
        before = len(other.said())
        with pytest.raises(UntrustedServer) as caught:
            bench.driver.rotate(arn)
        assert "ROTATION_CA_BUNDLE" in caught.value.cure
        assert '"ssl": false' in caught.value.cure
        assert len(other.said()) == before
        assert bench.target.logs_in(old)


def test_g12_plaintext_only_where_the_secret_says_so(server: Server, bench: Bench) -> None:
    arn, _ = bench.secret(ssl=False)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))


@pytest.mark.parametrize("asks", [0, 3, 10, 14])
@pytest.mark.parametrize("ssl", [True, False])
def test_g12_a_server_that_asks_for_nothing_or_too_much_is_not_trusted(
    server: Server, bench: Bench, asks: int, *, ssl: bool
) -> None:
    arn, old = bench.secret(ssl=ssl)
    server.front.asks = asks
    try:
        with pytest.raises(UntrustedServer, match="would prove nothing, or show the password"):
            bench.driver.rotate(arn)
    finally:
        server.front.asks = None
    assert bench.target.logs_in(old)


# ── G3, G13: refused logins ──


def test_g3_a_password_left_in_a_version_without_label_is_found(bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE, Step.SET)
    unlabel(bench, arn, token)
    assert not bench.lawful(arn)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


def test_g13_a_rotation_costs_no_refused_login(server: Server, bench: Bench) -> None:
    arn, old = bench.secret()
    for _ in range(2):
        bench.driver.rotate(arn)
    assert old["username"] not in server.front.refused


def test_g13_at_most_four_logins_are_refused(server: Server, bench: Bench) -> None:
    arn, old = bench.secret()
    for _ in range(7):
        bench.driver.put_by_hand(arn, {**old, "password": uuid.uuid4().hex})
    with pytest.raises(LoginRefused, match="put-secret-value"):
        bench.driver.rotate(arn)
    assert server.front.refused.count(old["username"]) == 4


def test_g13_a_user_that_may_not_log_in_ends_the_search(server: Server) -> None:
    with bench_on(server, hashed="md5") as bench:
        arn, old, token = played(bench, Step.CREATE)
        server.execute(f"ALTER USER {quoted(old['username'])} NOLOGIN")
        points = bench.points = CrashPoints()
        with pytest.raises(AccountLocked):
            bench.driver.step(arn, token, Step.SET)
        assert points.seen.count("before open") == 1


# ── G14, G15: silence ──


@pytest.mark.parametrize("ssl", [True, False])
def test_g14_g15_a_silent_server_ends_inside_the_time_left(bench: Bench, *, ssl: bool) -> None:
    with silent_server() as (port, _):
        arn, _ = bench.secret(port=port, ssl=ssl)
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=2.5)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="no session"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 2.5


def test_g15_a_server_that_goes_silent_in_a_session_is_cut_off(
    server: Server, bench: Bench
) -> None:
    arn, old, token = played(bench, Step.CREATE)
    driver = type(bench.driver)(bench.simulator, bench.handle, seconds=2.5)

    def watch(reached: str) -> None:
        server.front.mute = server.front.mute or reached == "before set_password"

    bench.points = CrashPoints(watch=watch)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable):
        driver.step(arn, token, Step.SET)
    assert time.monotonic() - began < 2.5
    server.front.mute = False
    bench.points = None
    assert bench.lawful(arn)
    bench.driver.retry(arn, token)
    assert not bench.target.logs_in(old)


def test_a_server_that_speaks_something_else_is_no_session(bench: Bench) -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\0\0\0\x04", b"\xff" * 64, b""):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            arn, _ = bench.secret(port=listening.getsockname()[1], ssl=False)
            token = bench.driver.start(arn)
            bench.driver.step(arn, token, Step.CREATE)
            with _answering(listening, answer), pytest.raises(ServerUnreachable):
                bench.driver.step(arn, token, Step.SET)


@contextlib.contextmanager
def _answering(listening: socket.socket, answer: bytes) -> Iterator[None]:
    import threading

    def talk() -> None:
        line, _ = listening.accept()
        with line, contextlib.suppress(OSError):
            line.recv(4096)
            line.sendall(answer)

    thread = threading.Thread(target=talk)
    thread.start()
    yield
    thread.join(10)


# ── whose password it is ──


@pytest.mark.parametrize("field", ["username", "host", "port"])
def test_a_pending_value_for_somebody_else_changes_nobody(
    server: Server, bench: Bench, field: str
) -> None:
    victim, password = server.create_user()
    arn, old = bench.secret()
    forged = {"username": victim, "host": "127.0.0.1", "port": old["port"] + 1}
    token = bench.driver.start(arn)
    staged(bench, arn, token, password=uuid.uuid4().hex, **{field: forged[field]})
    with pytest.raises(ForbiddenTarget, match="AWSPENDING is for"):
        bench.driver.step(arn, token, Step.SET)
    assert bench.target.logs_in(old)
    assert server.can_log_in(victim, password)


def set_by_a_person(server: Server, name: str) -> None:
    server.execute(f"ALTER USER {quoted(name)} PASSWORD 'sha256|Set-by-1-person'")


@pytest.mark.parametrize("hashed", HASHES)
def test_an_admin_resets_with_leave_only(server: Server, hashed: Hash) -> None:
    with bench_on(server, with_admin=True, hashed=hashed) as bench:
        arn, old = bench.secret()
        set_by_a_person(server, old["username"])
        token = bench.driver.start(arn)
        with pytest.raises(LoginRefused, match="ROTATION_ADMIN_RESET"):
            bench.driver.retry(arn, token)
        kept = {"ca_bundle": server.ca, "strategy": StrategyName.SINGLE_USER}
        bench.target.settings = Settings(**kept, admin_reset=True)  # type: ignore[arg-type]
        bench.driver.retry(arn, token)
        assert bench.target.logs_in(bench.current(arn))


POWERS: dict[str, tuple[str, ...]] = {
    "superuser": ("ALTER USER {} CREATEUSER",),
    "sys:secadmin": ('GRANT ROLE "sys:secadmin" TO {}',),
    "a role that has it": (
        'GRANT ROLE "sys:operator" TO ROLE role_nested',
        "GRANT ROLE role_nested TO {}",
    ),
    "a role that may alter users": (
        "INSERT INTO redshift_double.system_privilege VALUES ('role_alters', 'ALTER USER')",
        "GRANT ROLE role_alters TO {}",
    ),
    "a system permission of its own": (
        "INSERT INTO redshift_double.permission SELECT 'system', usename, 'IGNORE RLS', '', '',"
        " false FROM pg_user WHERE '{}' = '\"' || usename || '\"'",
    ),
}


@pytest.fixture(scope="module")
def roles(server: Server) -> None:
    for name in ("sys:secadmin", "sys:operator", "role_nested", "role_alters"):
        server.execute(f"CREATE ROLE {quoted(name)}")


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_no_admin_touches_a_powerful_user(
    server: Server, power: str, strategy: StrategyName
) -> None:
    with bench_on(server, strategy, with_admin=True) as bench:
        arn, old = bench.secret()
        for statement in POWERS[power]:
            server.execute(statement.format(quoted(old["username"])).replace("TO ROLE", "TO"))
        kept: dict[str, Any] = {"ca_bundle": server.ca, "strategy": strategy}
        bench.target.settings = Settings(**kept, admin_reset=True)
        if strategy is StrategyName.SINGLE_USER:
            set_by_a_person(server, old["username"])
        before = server.execute("SELECT * FROM pg_authid ORDER BY oid")
        with pytest.raises(RotationError, match="administrative rights"):
            bench.driver.rotate(arn)
        assert server.execute("SELECT * FROM pg_authid ORDER BY oid") == before


def test_a_name_that_the_server_spells_otherwise_is_told(
    server: Server, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, old = bench.secret()
    monkeypatch.setattr(
        bench.rotator.engine,  # type: ignore[attr-defined]
        "_read",
        lambda *_: [("somebody",)],
    )
    with pytest.raises(MisconfiguredSecret, match="is user 'somebody'"):
        bench.driver.rotate(arn)
    assert bench.target.logs_in(old)
