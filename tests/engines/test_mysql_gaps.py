"""The gaps of AWS's templates that concern a single user, on real servers: TLS, silence, locks."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from rotators.database.login import Login
from rotators.database.pymysql_engine import PyMySQLEngine
from rotators.deadline import Deadline
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    MisconfiguredSecret,
    PermanentError,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
    ValueRejected,
    VerifierRefused,
)
from rotators.passwords import PasswordPolicy
from rotators.request import Step
from rotators.secret import Secret
from rotators.settings import Settings, StrategyName
from rotators.testing.crashes import CrashPoints
from rotators.testing.mariadb import native_verifier
from tests.engines.mysql_scene import (
    SALT,
    bench_on,
    fingerprint,
    globally,
    greeting,
    packet,
    refused,
    scene_on,
    serving,
    wiretap,
)
from tests.engines.mysql_target import ROTATORS
from tests.engines.test_postgresql_gaps import played, silent_server, staged
from tests.servers_mysql import KINDS, Kind

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from rotators.testing.certificates import Certificates
    from tests.servers_mysql import MySQL, PrivateMySQL

Server = pytest.mark.parametrize("kind", KINDS)
only_mysql = pytest.mark.parametrize("mysql_or_mariadb", ["mysql"], indirect=True)
only_mariadb = pytest.mark.parametrize("mysql_or_mariadb", ["mariadb"], indirect=True)
VERSION: dict[Kind, str] = {"mysql": "9.7.4", "mariadb": "5.5.5-10.11.19-MariaDB"}
PLUGIN: dict[Kind, str] = {"mysql": "caching_sha2_password", "mariadb": "mysql_native_password"}


@pytest.fixture
def server(mysql_or_mariadb: MySQL) -> MySQL:
    return mysql_or_mariadb


@pytest.fixture
def bench(server: MySQL) -> Iterator[Bench]:
    with bench_on(server) as bench:
        yield bench


@pytest.fixture
def private(kind: Kind, private_mysql: PrivateMySQL, private_mariadb: PrivateMySQL) -> PrivateMySQL:
    return private_mysql if kind == "mysql" else private_mariadb


# ── G7: the user changes the entry that it logs in by ──


def test_g7_of_several_host_entries_only_the_own_one_changes(server: MySQL, bench: Bench) -> None:
    arn, old = bench.secret()
    stranger = server.create_user(name=old["username"], host="10.1.2.%")
    query = "SELECT * FROM mysql.user WHERE User = %s AND Host = %s"
    before = server.execute(query, stranger.name, stranger.host)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)
    assert server.execute(query, stranger.name, stranger.host) == before


# ── G12: nobody gets a password who is not trusted ──


@Server
@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "no tls"])
def test_g12_an_untrusted_server_gets_no_password(
    private: PrivateMySQL, certificates: Certificates, fault: str
) -> None:
    tls = certificates.wrong_name if fault == "wrong name" else fault != "no tls"
    trusted = certificates.unrelated_ca if fault == "unknown authority" else certificates.ca
    with (
        private(tls=tls) as server,
        bench_on(server, settings=Settings(ca_bundle=trusted)) as bench,
    ):
        arn, old = bench.secret()
        value = {key: item for key, item in old.items() if key != "ssl"}
        bench.driver.put_by_hand(arn, value)
        before = server.general_log_text().count(old["username"])
        with pytest.raises(UntrustedServer) as caught:
            bench.driver.rotate(arn)
        assert "ROTATION_CA_BUNDLE" in caught.value.cure
        assert '"ssl": false' in caught.value.cure
        assert server.general_log_text().count(old["username"]) == before
        assert bench.target.logs_in(old)


def test_g12_plaintext_only_where_the_secret_says_so(server: MySQL, bench: Bench) -> None:
    """And even then no login tells the password; nor does MariaDB's statement."""
    with wiretap(server) as (port, heard):
        arn, old = bench.secret(port=port, ssl=False)
        bench.driver.test_only(arn)
        assert old["username"].encode() in heard
        assert old["password"].encode() not in heard
        bench.driver.rotate(arn)
        assert old["password"].encode() not in heard
        said = bench.current(arn)["password"].encode() in heard
    # MySQL takes no hash of one's own password.
    assert said == (server.kind == "mysql")
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


def test_g12_tls_hides_everything(server: MySQL, bench: Bench) -> None:
    with wiretap(server) as (port, heard):
        arn, old = bench.secret(port=port)
        bench.driver.rotate(arn)
    for text in (old["username"], old["password"], bench.current(arn)["password"]):
        assert heard
        assert text.encode() not in heard


@Server
@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "mysql_old_password"])
@pytest.mark.parametrize("at_once", [True, False])
def test_g12_a_server_that_asks_for_the_password_itself_gets_nothing(
    mysql: MySQL, mariadb: MySQL, kind: Kind, plugin: str, *, at_once: bool
) -> None:
    server = mysql if kind == "mysql" else mariadb
    heard = bytearray()

    def talk(line: socket.socket) -> None:
        first = plugin if at_once else PLUGIN[kind]
        line.sendall(greeting(VERSION[kind], first, tls=False))
        heard.extend(line.recv(4096))
        line.sendall(packet(2, b"\xfe" + plugin.encode() + b"\0" + b"".join(SALT) + b"\0"))
        line.settimeout(2)
        with contextlib.suppress(TimeoutError):
            heard.extend(line.recv(4096))
        line.sendall(packet(4, b"\xff\x15\x04#28000Access denied"))

    with serving(talk) as port, bench_on(server) as bench:
        arn, old = bench.secret(port=port, ssl=False, host="127.0.0.1")
        with pytest.raises(PermanentError) as caught:
            bench.driver.rotate(arn)
    assert caught.value.cure
    assert old["username"].encode() in heard
    assert old["password"].encode() not in heard


def test_g12_a_server_that_wants_tls_is_told_of(server: MySQL, bench: Bench) -> None:
    arn, old = bench.secret(ssl=False)
    with (
        globally(server, "require_secure_transport", "ON"),
        pytest.raises(RotationError) as caught,
    ):
        bench.driver.rotate(arn)
    assert type(caught.value) is (UntrustedServer if server.kind == "mysql" else LoginRefused)
    assert '"ssl": false' in caught.value.cure
    assert bench.target.logs_in(old)


# ── G13: refused logins ──


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_g13_a_rotation_costs_no_refused_login(server: MySQL, strategy: StrategyName) -> None:
    with bench_on(server, strategy) as bench:
        arn, old = bench.secret()
        for _ in range(3):
            bench.driver.rotate(arn)
        name = old["username"]
        assert refused(server, name) + refused(server, f"{name}_clone") == 0


LOCKS: dict[str, str] = {
    "a lock": "ALTER USER {} ACCOUNT LOCK",
    "failures": "ALTER USER {} FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_g13_a_locked_account_ends_the_search(server: MySQL, bench: Bench, lock: str) -> None:
    arn, old, token = played(bench, Step.CREATE)
    name = old["username"]
    with contextlib.ExitStack() as stack:
        if lock == "a lock" or server.kind == "mysql":
            server.execute(LOCKS[lock].format(name))
        else:
            stack.enter_context(globally(server, "max_password_errors", 1))
        if lock == "failures":
            with contextlib.suppress(pymysql.OperationalError):
                assert not server.can_log_in(name, "wrong")
        points = bench.points = CrashPoints()
        with pytest.raises(AccountLocked) as caught:
            bench.driver.step(arn, token, Step.SET)
        assert points.seen.count("before open") == 1
    assert "UNLOCK" in caught.value.cure
    server.execute("FLUSH PRIVILEGES")  # which forgets the failures


def test_g13_at_most_four_logins_are_refused(server: MySQL, bench: Bench) -> None:
    arn, old = bench.secret()
    for _ in range(7):
        bench.driver.put_by_hand(arn, {**old, "password": uuid.uuid4().hex})
    with pytest.raises(LoginRefused, match="put-secret-value"):
        bench.driver.rotate(arn)
    assert refused(server, old["username"]) == 4


# ── G14, G15: silence ──


@contextlib.contextmanager
def mute(kind: Kind, when: str) -> Iterator[int]:
    """A server that stops talking: before or after its greeting, or in the handshake of TLS."""
    if when == "at once":
        with silent_server() as (port, _):
            yield port
        return

    def talk(line: socket.socket) -> None:
        pause, said = 0.0, [greeting(VERSION[kind], PLUGIN[kind], tls=when == "in tls")]
        if when == "drop by drop":
            pause, said = 0.2, [bytes([one]) for one in said[0]]
        for part in said:
            line.sendall(part)
            time.sleep(pause)
        while line.recv(4096):
            pass

    with serving(talk) as port:
        yield port


@Server
@pytest.mark.parametrize("when", ["at once", "drop by drop", "after the greeting", "in tls"])
def test_g14_g15_a_silent_server_ends_inside_the_time_left(
    mysql: MySQL, mariadb: MySQL, kind: Kind, when: str
) -> None:
    server = mysql if kind == "mysql" else mariadb
    with mute(kind, when) as port, bench_on(server) as bench:
        arn, _ = bench.secret(port=port, ssl=when == "in tls")
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=3)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="no session"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 3


@Server
def test_g15_a_server_that_goes_silent_in_a_session_is_cut_off(private: PrivateMySQL) -> None:
    with private() as server, bench_on(server) as bench:
        assert server.server is not None
        paused = server.server
        for point in ("after open", "before set_password"):
            arn, old, token = played(bench, Step.CREATE)
            driver = type(bench.driver)(bench.simulator, bench.handle, seconds=3)

            def watch(reached: str, point: str = point) -> None:
                if reached == point:
                    paused.pause()

            bench.points = CrashPoints(watch=watch)
            began = time.monotonic()
            with pytest.raises(ServerUnreachable):
                driver.step(arn, token, Step.SET)
            assert time.monotonic() - began < 3
            paused.resume()
            bench.points = None
            assert bench.lawful(arn)
            bench.driver.retry(arn, token)
            assert not bench.target.logs_in(old)


# ── G16: no password in any log of the server's ──


@pytest.mark.parametrize("strategy", list(StrategyName))
def test_g16_the_servers_logs_show_no_password(server: MySQL, strategy: StrategyName) -> None:
    with bench_on(server, strategy) as bench:
        arn, _ = bench.secret()
        for _ in range(3):  # the alternate is made, then altered
            bench.driver.rotate(arn)
        said = server.general_log_text() + server.log_text()
        assert bench.current(arn)["username"] in said
        assert not [password for password in bench.passwords() if password in said]
        verifier = native_verifier(bench.current(arn)["password"])
        assert (verifier in said) == (server.kind == "mariadb")


def test_a_statement_that_is_not_understood_is_not_repeated(server: MySQL, bench: Bench) -> None:
    """The server's message shows what stands there: a password, had it been a rotation's (G4)."""
    _, old = bench.secret()
    kind = ROTATORS[server.kind].engine
    assert issubclass(kind, PyMySQLEngine)
    engine = kind(server.ca)
    statement = "ALTER USER x IDENTIFIED AND THEN BY {}"
    with (
        engine.session(Login.of(Secret(old), kind), Deadline.after(10)) as session,
        pytest.raises(UnexpectedError, match="1064") as caught,
    ):
        engine.execute(session, statement, "not to be seen")
    assert "not to be seen" not in str(caught.value)


# ── rule 8: a value that the server refuses ──


@pytest.fixture(scope="module")
def strict_mysql(private_mysql: PrivateMySQL) -> Iterator[MySQL]:
    """A server with a password policy."""
    with private_mysql() as server:
        server.execute("INSTALL COMPONENT 'file://component_validate_password'")
        yield server


@contextlib.contextmanager
def lenient(server: MySQL) -> Iterator[None]:
    with (
        globally(server, "validate_password.policy", "LOW"),
        globally(server, "validate_password.length", 0),
    ):
        yield


@pytest.fixture(params=[StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def strict(strict_mysql: MySQL, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with lenient(strict_mysql), bench_on(strict_mysql, request.param) as bench:
        bench.target.settings = Settings(
            ca_bundle=strict_mysql.ca,
            strategy=request.param,
            passwords=PasswordPolicy(require_each_included_type=True),
        )
        bench.secret()
        yield bench


def weak(bench: Bench, server: MySQL) -> tuple[str, dict[str, Any], str]:
    """A rotation of which the server refuses the value."""
    (arn,) = bench.arns
    old = bench.current(arn)
    token = bench.driver.start(arn)
    name = old["username"]
    alternate = bench.target.settings.strategy is StrategyName.ALTERNATING_USERS
    staged(bench, arn, token, username=f"{name}_clone" if alternate else name, password="weak")
    server.execute("SET GLOBAL validate_password.policy = 'MEDIUM'")
    server.execute("SET GLOBAL validate_password.length = 8")
    return arn, old, token


def test_a_value_that_the_server_refuses_is_given_up(strict: Bench, strict_mysql: MySQL) -> None:
    arn, old, token = weak(strict, strict_mysql)
    with pytest.raises(ValueRejected, match="AWSPENDING was taken"):
        strict.driver.step(arn, token, Step.SET)
    assert token not in strict.simulator.labels(arn)
    assert strict.target.logs_in(old)
    strict.driver.rotate(arn)
    assert strict.target.logs_in(strict.current(arn))


def elsewhere(server: MySQL, bench: Bench, arn: str, password: str) -> None:
    """Somebody else sets the user's password as soon as the server is asked to."""

    def set_elsewhere(point: str) -> None:
        if point == "before set_password":
            with lenient(server):
                name = bench.current(arn)["username"]
                server.execute(f"ALTER USER {name} IDENTIFIED BY '{password}'")

    bench.points = CrashPoints(watch=set_elsewhere)


@pytest.mark.parametrize("strict", [StrategyName.SINGLE_USER], indirect=True)
def test_a_refused_value_that_is_in_place_is_a_success(strict: Bench, strict_mysql: MySQL) -> None:
    arn, _, token = weak(strict, strict_mysql)
    elsewhere(strict_mysql, strict, arn, "weak")
    strict.driver.step(arn, token, Step.SET)
    strict.points = None
    strict.driver.retry(arn, token)
    assert strict.current(arn)["password"] == "weak"
    assert strict.target.logs_in(strict.current(arn))


@pytest.mark.parametrize("strict", [StrategyName.SINGLE_USER], indirect=True)
def test_a_value_refused_while_awscurrent_is_refused_keeps_its_label(
    strict: Bench, strict_mysql: MySQL
) -> None:
    arn, _, token = weak(strict, strict_mysql)
    elsewhere(strict_mysql, strict, arn, "changed by a person")
    with pytest.raises(RotationError) as caught:
        strict.driver.step(arn, token, Step.SET)
    assert type(caught.value) is ValueRefused
    assert "AWSPENDING" in strict.simulator.labels(arn)[token]


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_a_server_that_takes_no_hash_is_told_of(
    mariadb: MySQL, private_mariadb: PrivateMySQL, strategy: StrategyName
) -> None:
    del mariadb
    with (
        private_mariadb() as server,
        bench_on(server, strategy) as bench,
    ):
        arn, old = bench.secret()
        bench.driver.rotate(arn)
        server.execute("INSTALL SONAME 'simple_password_check'")
        before = fingerprint(server)
        token = bench.driver.start(arn)
        with pytest.raises(VerifierRefused) as caught:
            bench.driver.retry(arn, token)
        assert "strict_password_validation = OFF" in caught.value.cure
        assert fingerprint(server) == before
        server.execute("SET GLOBAL strict_password_validation = OFF")
        bench.driver.retry(arn, token)
        assert bench.target.logs_in(bench.current(arn))
        assert old["username"]


def test_a_replica_is_said_to_be_one(server: MySQL, bench: Bench) -> None:
    arn, old = bench.secret()
    with (
        globally(server, "read_only", "ON"),
        pytest.raises(ReadOnlyServer, match="read_only") as caught,
    ):
        bench.driver.rotate(arn)
    assert "writer" in caught.value.cure
    assert bench.target.logs_in(old)


@pytest.mark.parametrize("strategy", list(StrategyName))
def test_a_replica_is_not_changed_by_whoever_may(server: MySQL, strategy: StrategyName) -> None:
    with scene_on(server, strategy) as scene:
        privilege = "CONNECTION_ADMIN" if server.kind == "mysql" else "READ_ONLY ADMIN"
        who = "{base}" if strategy is StrategyName.SINGLE_USER else "{admin}"
        scene.alter(f"GRANT {privilege} ON *.* TO {who}")
        before = fingerprint(server)
        with globally(server, "read_only", "ON"), pytest.raises(ReadOnlyServer):
            scene.rotate()
        assert fingerprint(server) == before


def test_an_expired_password_is_replaced(server: MySQL, bench: Bench) -> None:
    arn, old = bench.secret()
    server.execute(f"ALTER USER {old['username']} PASSWORD EXPIRE")
    with pytest.raises(AccountLocked, match=r"must (reset|SET)") as caught:
        bench.driver.test_only(arn)
    assert "expired" in caught.value.cure
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))
    with server.connect(old["username"], bench.current(arn)["password"]) as own:
        own.cursor().execute("SELECT 1")


def test_a_password_with_emoji_is_kept_or_refused(server: MySQL, bench: Bench) -> None:
    """MySQL would store a question mark."""
    arn, old, token = played(bench)
    staged(bench, arn, token, password="p\N{GRINNING FACE}-ключ-Aa1")
    if server.kind == "mysql":
        before = fingerprint(server)
        with pytest.raises(ValueRejected, match="emoji"):
            bench.driver.retry(arn, token)
        assert fingerprint(server) == before
        assert bench.target.logs_in(old)
        return
    bench.driver.retry(arn, token)
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


@pytest.mark.parametrize("length", [256, 300, 1000])
@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_a_very_long_password_is_kept_or_refused(
    server: MySQL, length: int, strategy: StrategyName
) -> None:
    """Never as a defect, and never for ever: MySQL takes 256 bytes."""
    settings = Settings(
        ca_bundle=server.ca, strategy=strategy, passwords=PasswordPolicy(length=length)
    )
    with bench_on(server, strategy, settings=settings) as bench:
        arn, old = bench.secret()
        if server.kind == "mysql" and length > 256:
            with pytest.raises(ValueRejected):
                bench.driver.rotate(arn)
            assert bench.target.logs_in(old)
            return
        bench.driver.rotate(arn)
        bench.driver.rotate(arn)
        assert len(bench.current(arn)["password"]) == length
        assert bench.target.logs_in(bench.current(arn))


# ── the wrong engine ──


@contextlib.contextmanager
def of_version(server: MySQL, version: bytes) -> Iterator[int]:
    """A port that leads to the server, which says there that it is another version."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def talk(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as upstream:
            body = re.sub(rb"^\x0a[^\0]*", b"\x0a" + version, upstream.recv(65536)[4:])
            client.sendall(packet(0, body))
            back = threading.Thread(target=pump, args=[upstream, client])
            back.start()
            pump(client, upstream)
            back.join()

    with serving(talk) as port:
        yield port


@pytest.mark.parametrize("strategy", list(StrategyName))
def test_a_server_that_is_too_old_is_refused_before_any_change(
    mysql: MySQL, strategy: StrategyName
) -> None:
    with of_version(mysql, b"5.7.44-log") as port, bench_on(mysql, strategy) as bench:
        arn, old = bench.secret(port=port)
        before = fingerprint(mysql)
        with pytest.raises(MisconfiguredSecret, match=r"MySQL 5\.7\.44"):
            bench.driver.rotate(arn)
        assert fingerprint(mysql) == before
        assert bench.target.logs_in(old)


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_the_other_servers_engine_changes_nothing(server: MySQL, strategy: StrategyName) -> None:
    wrong: Kind = "mariadb" if server.kind == "mysql" else "mysql"
    with bench_on(server, strategy, kind=wrong) as bench:
        arn, old = bench.secret(engine=wrong)
        before = fingerprint(server)
        with pytest.raises(MisconfiguredSecret) as caught:
            bench.driver.rotate(arn)
        assert f'"engine": "{server.kind}"' in caught.value.cure
        assert fingerprint(server) == before
        assert bench.target.logs_in(old)


def test_an_expired_base_gets_its_password_at_its_turn(server: MySQL) -> None:
    with scene_on(server) as scene:
        scene.rotate()
        # Of such a one MariaDB tells in two rows.
        scene.server.execute(f"ALTER USER {scene.base} PASSWORD EXPIRE INTERVAL 30 DAY")
        scene.server.execute(f"ALTER USER {scene.base} PASSWORD EXPIRE")
        scene.rotate()
        assert scene.current["username"] == scene.base
        assert scene.run("SELECT 1") == [(1,)]
