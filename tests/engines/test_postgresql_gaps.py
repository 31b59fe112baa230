"""The gaps of AWS's templates that concern a single user, each as a test on real servers."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rotators.database.postgresql import PostgreSQLRotator
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UntrustedServer,
    ValueRefused,
    ValueRejected,
)
from rotators.request import Step
from rotators.settings import Settings
from rotators.testing.bench import Bench
from rotators.testing.crashes import CrashPoints
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates
    from tests.servers import PostgreSQL, PrivatePostgreSQL

VERSIONS = ("15", "17")
WRONG_PASSWORD = "password authentication failed"


@contextlib.contextmanager
def bench_on(server: PostgreSQL, settings: Settings | None = None) -> Iterator[Bench]:
    target = PostgreSQLTarget(server)
    target.settings = settings or target.settings
    with Bench(PostgreSQLRotator, target) as bench:
        yield bench


@pytest.fixture
def bench(postgresql: PostgreSQL) -> Iterator[Bench]:
    with bench_on(postgresql) as bench:
        yield bench


def played(bench: Bench, *steps: Step) -> tuple[str, dict[str, Any], str]:
    """A new secret that a rotation has begun with these steps: ARN, first value, token."""
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    for step in steps:
        bench.driver.step(arn, token, step.value)
    return arn, old, token


def unlabel(bench: Bench, arn: str, token: str) -> None:
    """What AWS's documents tell people to do with a stuck rotation."""
    bench.client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )


def test_g3_a_password_left_in_a_version_without_label_is_found(bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE, Step.SET)
    unlabel(bench, arn, token)
    assert not bench.lawful(arn)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


def test_g3_a_denied_search_is_said_in_the_error(bench: Bench) -> None:
    arn, _, token = played(bench, Step.CREATE, Step.SET)
    unlabel(bench, arn, token)
    bench.simulator.deny("ListSecretVersionIds")
    with pytest.raises(LoginRefused, match="older versions were not searched: ListSecretVersion"):
        bench.driver.rotate(arn)


def test_an_older_password_of_another_host_is_never_sent(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    arn, old = bench.secret()
    with postgresql.admin() as admin:
        admin.execute(f"ALTER ROLE {old['username']} PASSWORD 'set by somebody else'")
    bench.driver.put_by_hand(arn, {**old, "host": "elsewhere.example"})
    bench.driver.put_by_hand(arn, {**old, "password": "neither is this"})
    bench.points = CrashPoints()
    with pytest.raises(LoginRefused, match=r"\(AWSCURRENT, AWSPENDING, a version without label\)"):
        bench.driver.rotate(arn)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "no tls"])
def test_g12_an_untrusted_server_gets_no_password(
    private_postgresql: PrivatePostgreSQL, certificates: Certificates, version: str, fault: str
) -> None:
    tls = certificates.wrong_name if fault == "wrong name" else fault != "no tls"
    trusted = certificates.unrelated_ca if fault == "unknown authority" else certificates.ca
    with (
        private_postgresql(version, tls=tls) as server,
        bench_on(server, Settings(ca_bundle=trusted)) as bench,
    ):
        role = server.create_user()
        value = {**server.secret(role.name, role.password), "ssl": None}
        del value["ssl"]
        arn = bench.simulator.create_secret("g12", value)
        bench.engines.add("postgres")
        before = server.log_text().count(role.name)
        with pytest.raises(UntrustedServer) as caught:
            bench.driver.rotate(arn)
        assert "ROTATION_CA_BUNDLE" in caught.value.cure
        assert '"ssl": false' in caught.value.cure
        assert server.log_text().count(role.name) == before
        assert server.can_log_in(role.name, role.password)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls", [True, False])
def test_a_server_that_trusts_everybody_proves_nothing(
    private_postgresql: PrivatePostgreSQL, version: str, *, tls: bool
) -> None:
    trusting = "host all postgres all scram-sha-256\nhost all all all trust\n"
    with (
        private_postgresql(version, tls=tls, hba=trusting) as server,
        bench_on(server) as bench,
    ):
        arn, _ = bench.secret()
        with pytest.raises(UntrustedServer, match="would prove nothing"):
            bench.driver.rotate(arn)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encryption", ["md5", "scram-sha-256"])
@pytest.mark.parametrize("ssl", [True, False])
@pytest.mark.filterwarnings("ignore:.*md5")
def test_a_user_with_an_md5_password_gets_what_the_server_says(
    private_postgresql: PrivatePostgreSQL, version: str, encryption: str, *, ssl: bool
) -> None:
    settings = {"password_encryption": "md5"}
    with (
        private_postgresql(version, settings=settings, hba="host all all all md5\n") as server,
        bench_on(server) as bench,
    ):
        arn, old = bench.secret(ssl=ssl)
        with server.admin() as admin:
            admin.execute(f"ALTER SYSTEM SET password_encryption = '{encryption}'")
            admin.execute("SELECT pg_reload_conf()")
        bench.driver.rotate(arn)
        assert not bench.target.logs_in(old)
        with server.admin() as admin:
            query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
            (stored,) = admin.execute(query, [old["username"]]).fetchone() or ("",)
        assert stored.lower().startswith(encryption[:5])


def test_plaintext_only_where_the_secret_says_so(postgresql: PostgreSQL, bench: Bench) -> None:
    arn, old = bench.secret(ssl="False")
    bench.driver.rotate(arn)
    assert bench.current(arn)["ssl"] == "False"
    assert not bench.target.logs_in(old)
    lines = postgresql.log_text().splitlines()
    said = [line for line in lines if "authorized" in line and f"user={old['username']} " in line]
    assert [line for line in said if "SSL" not in line]


def test_g13_a_rotation_costs_no_refused_login(postgresql: PostgreSQL, bench: Bench) -> None:
    before = postgresql.log_text().count(WRONG_PASSWORD)
    arn, _ = bench.secret()
    bench.driver.rotate(arn)
    assert postgresql.log_text().count(WRONG_PASSWORD) == before


def test_g13_a_repeated_set_costs_one(postgresql: PostgreSQL, bench: Bench) -> None:
    arn, _, token = played(bench, Step.CREATE, Step.SET)
    before = postgresql.log_text().count(WRONG_PASSWORD)
    bench.driver.step(arn, token, Step.SET)
    assert postgresql.log_text().count(WRONG_PASSWORD) == before + 1


def test_g13_a_locked_account_ends_the_search(postgresql: PostgreSQL, bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE)
    with postgresql.admin() as admin:
        admin.execute(f"ALTER ROLE {old['username']} NOLOGIN")
    bench.points = CrashPoints()
    with pytest.raises(AccountLocked, match="not permitted to log in"):
        bench.driver.step(arn, token, Step.SET)
    assert bench.points.seen.count("before open") == 1


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """Accepts connections and never says a word."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted.append(listening.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()[1], accepted
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in accepted:
        connection.close()


@pytest.mark.parametrize("ssl", [True, False])
def test_g14_g15_a_silent_server_ends_inside_the_time_left(
    postgresql: PostgreSQL, *, ssl: bool
) -> None:
    with silent_server() as (port, accepted), bench_on(postgresql) as bench:
        bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=5)
        arn, _ = bench.secret(port=port, ssl=ssl)
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="no session"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 5
        assert len(accepted) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("point", ["after open", "before execute"])
def test_g15_a_server_that_goes_silent_in_a_session_is_cut_off(
    private_postgresql: PrivatePostgreSQL, version: str, point: str
) -> None:
    with private_postgresql(version) as server, bench_on(server) as bench:
        assert server.server is not None
        bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=4)
        arn, old, token = played(bench, Step.CREATE)
        paused = server.server

        def watch(reached: str) -> None:
            if reached == point:
                paused.pause()

        bench.points = CrashPoints(watch=watch)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="went silent"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 4
        paused.resume()
        assert bench.target.logs_in(old)


def test_a_locked_role_is_waited_for_only_as_long_as_there_is_time(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=4)
    arn, old, token = played(bench, Step.CREATE)
    with postgresql.admin() as admin:
        admin.execute("BEGIN")
        admin.execute(f"ALTER ROLE {old['username']} CONNECTION LIMIT 5")
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match=r"timeout|silent"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 4
        admin.execute("ROLLBACK")
    assert bench.target.logs_in(old)
    bench.driver.retry(arn, token)
    assert bench.target.logs_in(bench.current(arn))


def test_nobody_listens(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    arn, _ = bench.secret(port=port)
    with pytest.raises(ServerUnreachable, match="refused"):
        bench.driver.rotate(arn)


def test_g16_the_server_is_sent_a_verifier(postgresql: PostgreSQL, bench: Bench) -> None:
    arn, old = bench.secret()
    bench.driver.rotate(arn)
    with postgresql.admin() as admin:
        query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
        (stored,) = admin.execute(query, [old["username"]]).fetchone() or ("",)
    assert stored.startswith("SCRAM-SHA-256$")
    assert stored in postgresql.log_text()
    assert bench.current(arn)["password"] not in postgresql.log_text()


def staged(bench: Bench, arn: str, token: str, **fields: object) -> None:
    """AWSPENDING as somebody else wrote it."""
    bench.client.put_secret_value(
        SecretId=arn,
        ClientRequestToken=token,
        SecretString=json.dumps({**bench.current(arn), **fields}),
        VersionStages=["AWSPENDING"],
        RotationToken=bench.simulator.rotations.event(arn, token, "createSecret")["RotationToken"],
    )


def with_policy(postgresql: PostgreSQL, bench: Bench) -> tuple[str, dict[str, Any], str]:
    """A rotation of which the server refuses the value: a password that is the user's name.

    passwordcheck tests verifiers for that, too; it is on in sessions of this user only.
    """
    arn, old, token = played(bench)
    staged(bench, arn, token, password=old["username"])
    with postgresql.admin() as admin:
        admin.execute(
            f"ALTER ROLE {old['username']} SET session_preload_libraries = 'passwordcheck'"
        )
    return arn, old, token


def test_a_value_that_the_server_refuses_is_given_up(postgresql: PostgreSQL, bench: Bench) -> None:
    """Rule 8."""
    arn, old, token = with_policy(postgresql, bench)
    with pytest.raises(ValueRejected, match="AWSPENDING was taken"):
        bench.driver.step(arn, token, Step.SET)
    assert token not in bench.simulator.labels(arn)
    assert bench.target.logs_in(old)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))


def test_a_refused_value_that_is_in_place_is_a_success(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    """Rule 8: another delivery was faster, and the policy refuses the value on the repeat."""
    arn, old, token = with_policy(postgresql, bench)

    def set_elsewhere(point: str) -> None:
        if point == "before set_password":
            with postgresql.admin() as admin:
                admin.execute(f"ALTER ROLE {old['username']} PASSWORD '{old['username']}'")

    bench.points = CrashPoints(watch=set_elsewhere)
    bench.driver.step(arn, token, Step.SET)
    assert "AWSPENDING" in bench.simulator.labels(arn)[token]
    bench.driver.retry(arn, token)
    assert bench.target.logs_in(bench.current(arn))


def test_a_value_refused_while_awscurrent_is_refused_keeps_its_label(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    """Rule 8: it may be the only value that is left."""
    arn, old, token = with_policy(postgresql, bench)

    def set_elsewhere(point: str) -> None:
        if point == "before set_password":
            with postgresql.admin() as admin:
                admin.execute(f"ALTER ROLE {old['username']} PASSWORD 'changed by a person'")

    bench.points = CrashPoints(watch=set_elsewhere)
    with pytest.raises(RotationError) as caught:
        bench.driver.step(arn, token, Step.SET)
    assert type(caught.value) is ValueRefused
    assert "AWSPENDING" in bench.simulator.labels(arn)[token]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_standby_is_said_to_be_one(private_postgresql: PrivatePostgreSQL, version: str) -> None:
    with private_postgresql(version) as server, bench_on(server) as bench:
        assert server.server is not None
        arn, old, token = played(bench, Step.CREATE)
        (server.server.directory / "data" / "standby.signal").touch()
        server.server.restart()
        with pytest.raises(ReadOnlyServer, match="recovery"):
            bench.driver.step(arn, token, Step.SET)
        assert bench.target.logs_in(old)
