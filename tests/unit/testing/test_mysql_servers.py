"""The launchers of MySQL and MariaDB, with real servers, and the fixtures that hand these out."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest

from rotators.testing import processes
from rotators.testing._ports import free_port
from rotators.testing.installations import ServerMissing
from rotators.testing.processes import ServerError
from tests.servers_mysql import (
    KINDS,
    LAUNCHERS,
    Kind,
    MySQL,
    require_installation,
    server_of_environment,
)

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    from rotators.testing.certificates import Certificates
    from rotators.testing.mysql_family import MySQLFamilyServer

SAYS_MYSQL = "#!/bin/sh\necho 'mysqld  Ver 8.4.0 for Linux on x86_64'\n"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def launcher(kind: Kind) -> type[MySQLFamilyServer]:
    return LAUNCHERS[kind]


@pytest.fixture
def root(kind: Kind) -> Path:
    return require_installation(kind).root


@pytest.fixture
def imitation(tmp_path: Path) -> Path:
    """A program that says that it is MySQL."""
    program = tmp_path / "usr" / "sbin" / "mysqld"
    program.parent.mkdir(parents=True)
    program.write_text(SAYS_MYSQL)
    program.chmod(0o755)
    return tmp_path


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def login(
    server: MySQLFamilyServer, ca: Path | None = None, *, password: str | None = None
) -> Connection[Cursor]:
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password if password is None else password,
        ssl=None if ca is None else ssl.create_default_context(cafile=str(ca)),
        ssl_disabled=ca is None,
        read_timeout=10,
        autocommit=True,
    )


def rows(connection: Connection[Cursor], statement: str) -> tuple[tuple[object, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchall())


def test_shows_its_password_to_nobody_and_leaves_nothing(
    launcher: type[MySQLFamilyServer], root: Path
) -> None:
    with launcher(root, password="it's a \\ secret") as server:
        pid, directory = server.pid, server.directory
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        files = [path for path in directory.iterdir() if path.is_file()]
        texts = [path.read_bytes() for path in files] + [repr(server).encode(), command]
        assert not any(b" secret" in text for text in texts)
        assert directory.stat().st_mode & 0o077 == 0
        with login(server) as connection:
            accounts = rows(connection, "SELECT DISTINCT user FROM mysql.user")
            assert {user for (user,) in accounts if not str(user).startswith(launcher.kind)} == {
                "root"
            }
            assert rows(connection, "SELECT @@bind_address") == (("127.0.0.1",),)
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            login(server, password="")
    assert not is_running(pid)
    assert not directory.exists()
    with pytest.raises(ServerError, match="with statement"):
        server.general_log_text()


def test_is_verified_by_its_authority_only(
    launcher: type[MySQLFamilyServer], root: Path, certificates: Certificates
) -> None:
    with launcher(root, tls=certificates.server) as server:
        with login(server, certificates.ca) as connection:
            assert rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
        with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            login(server, certificates.unrelated_ca)


def test_without_a_certificate_it_refuses_tls_and_takes_settings(
    launcher: type[MySQLFamilyServer], root: Path, certificates: Certificates
) -> None:
    with launcher(root, settings={"max-connections": "120"}) as server:
        with login(server) as connection:
            assert rows(connection, "SELECT @@max_connections") == ((120,),)
        with pytest.raises(pymysql.OperationalError, match="server doesn't support it"):
            login(server, certificates.ca)


def test_a_paused_server_is_silent_and_a_restart_keeps_port_and_data(
    launcher: type[MySQLFamilyServer], root: Path
) -> None:
    with launcher(root) as server:
        with login(server) as connection:
            address = ("127.0.0.1", server.port)
            with (
                server.paused(),
                socket.create_connection(address, timeout=0.3) as probe,
                pytest.raises(TimeoutError),
            ):
                probe.recv(1)
            assert rows(connection, "SELECT 1") == ((1,),)
            rows(connection, "CREATE DATABASE kept")
        before = server.pid, server.port
        server.restart()
        assert server.pid != before[0]
        assert server.port == before[1]
        with login(server) as connection:
            assert rows(connection, "SHOW DATABASES LIKE 'kept'") == (("kept",),)
        pid = server.pid
        server.pause()
    assert not is_running(pid)


def test_a_server_that_does_not_start_shows_its_log(
    launcher: type[MySQLFamilyServer], root: Path
) -> None:
    with (
        pytest.raises(ServerError, match="no-such-option"),
        launcher(root, settings={"no-such-option": "1"}),
    ):
        pass


def test_takes_another_port_when_one_was_taken(
    launcher: type[MySQLFamilyServer], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        ports = iter([used])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports, None) or free_port())
        with launcher(root) as server, login(server):
            assert next(ports, None) is None
            assert server.port != used


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start what its server cannot reach")
def test_copies_a_program_that_the_server_cannot_reach(
    launcher: type[MySQLFamilyServer], root: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    hidden = tmp_path / "hidden"
    shutil.copytree(root / "usr", hidden / "usr", symlinks=True)
    if (root / "template").is_dir():
        (hidden / "template").symlink_to(root / "template")
    with launcher(hidden) as server, login(server) as connection:
        assert rows(connection, "SELECT 1") == ((1,),)
        program = Path(f"/proc/{server.pid}/exe").readlink()
        assert program.is_relative_to(server.directory)


def test_what_is_missing_is_said_with_the_cure(
    launcher: type[MySQLFamilyServer], tmp_path: Path
) -> None:
    with pytest.raises(ServerMissing, match=r"does not exist\. .*make servers.*apt-get install"):
        launcher(tmp_path)


def test_a_named_directory_comes_before_the_cache(
    imitation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (imitation / "mysql").symlink_to(imitation)
    monkeypatch.setenv("ROTATORS_SERVERS", str(imitation))
    found = LAUNCHERS["mysql"].find()[0]
    assert (found.root, found.version_info, found.origin) == (
        imitation / "mysql",
        (8, 4, 0),
        "fetched",
    )
    monkeypatch.delenv("ROTATORS_SERVERS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(imitation))
    assert imitation / "mysql" not in [one.root for one in LAUNCHERS["mysql"].find()]


def test_one_is_not_taken_for_the_other(imitation: Path) -> None:
    program = imitation / "usr" / "sbin" / "mysqld"
    program.write_text(SAYS_MYSQL.replace("8.4.0", "10.11.18-MariaDB"))
    with pytest.raises(ServerMissing, match="is not MySQL’s"):
        LAUNCHERS["mysql"](imitation)


def test_a_program_that_others_may_write_is_not_run(imitation: Path) -> None:
    (imitation / "usr").chmod(0o777)
    with pytest.raises(ServerMissing, match=r"usr belongs to somebody else, or anybody may write"):
        LAUNCHERS["mysql"](imitation)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_program_of_somebody_else_is_not_run(imitation: Path) -> None:
    os.chown(imitation / "usr" / "sbin" / "mysqld", 12345, 12345)
    with pytest.raises(ServerMissing, match="mysqld belongs to somebody else"):
        LAUNCHERS["mysql"](imitation)


class TestFixture:
    def test_tells_a_wrong_password_from_other_refusals(self, mysql_or_mariadb: MySQL) -> None:
        server = mysql_or_mariadb
        user = server.create_user("pä%s'\\word")
        assert server.can_log_in(user.name, user.password)
        assert server.can_log_in(user.name, user.password, tls=False)
        assert not server.can_log_in(user.name, "wrong")
        server.execute("ALTER USER %s@%s ACCOUNT LOCK", user.name, user.host)
        with pytest.raises(pymysql.OperationalError, match="locked"):
            server.can_log_in(user.name, user.password)
        for text in (repr(user), server.general_log_text(), server.log_text()):
            assert user.password not in text
        assert server.password not in repr(server)

    def test_drops_what_the_test_made(self, mysql_or_mariadb: MySQL) -> None:
        with contextlib.ExitStack() as stack:
            with contextlib.ExitStack() as cleanup:
                server = replace(mysql_or_mariadb, cleanup=cleanup)
                weird, user = server.create_user(name="We\"ird %'"), server.create_user()
                database = server.create_database()
                server.execute("CREATE USER %s@localhost", f"{user.name}_clone")
                server.execute("CREATE ROLE %s", f"{user.name}_role")
                session = stack.enter_context(server.connect(user.name, user.password))
            with pytest.raises(pymysql.OperationalError):
                session.ping()
        for name in (weird.name, user.name):
            assert not server.execute("SELECT 1 FROM mysql.user WHERE LOCATE(%s, user)", name)
        assert not server.execute("SHOW DATABASES LIKE %s", database)

    def test_makes_secrets_in_the_format_of_aws(self, mysql_or_mariadb: MySQL) -> None:
        server = mysql_or_mariadb
        plaintext = {"ssl": False} if server.ca is None else {}
        assert server.secret("u", "p", dbname="d") == {
            "engine": server.kind,
            "host": server.host,
            "port": server.port,
            "username": "u",
            "password": "p",
            "dbname": "d",
            **plaintext,
        }

    def test_takes_the_server_of_the_environment(
        self, mysql_or_mariadb: MySQL, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server, kind = mysql_or_mariadb, mysql_or_mariadb.kind
        dsn = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/"
        monkeypatch.setenv(f"{kind.upper()}_TEST_DSN", dsn)
        monkeypatch.setenv(f"{kind.upper()}_TEST_CA", str(server.ca))
        named = server_of_environment(kind)
        assert named.version == server.version
        assert named.can_log_in(named.user, named.password)
        with pytest.raises(pytest.skip.Exception, match="_TEST_DSN's server cannot be read"):
            named.general_log_text()
