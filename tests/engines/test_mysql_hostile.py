"""Input that would hurt a careless rotator, on real servers: nothing breaks, nothing changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    UntrustedServer,
)
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.mysql_target import LENT, ROTATORS, MySQLTarget
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from tests.servers_mysql import MySQL, PrivateMySQL, User

SINGLE, ALTERNATING, DUAL = StrategyName
BenchOf = Callable[..., Bench]

NASTY = (
    "it's",
    'we"ird;-- /*',
    "`back`tick``",
    "back\\slash\\",
    "\\' OR 1=1 #",
    "per%cent %s %(x)s",
    "_nderscore%",
    "blanks  inside",
    "at@host@%",
    "ünïcödé ключ 密码",
    "line\nbreak\ttab",
    "{brace} {} {0} {x!r}",
    "root'@'localhost",
    "`root`@`%`",
    "USER()",
    "CURRENT_USER",
    "CURRENT_ROLE",
    "PUBLIC",
    "a TO b",
    "x IDENTIFIED VIA y OR z",
    "mysql://evil/x",
)
HOSTS = ("127.0.0.1", "127.%", "127.0.0._", "127.0.0.0/255.0.0.0")
PASSWORDS = (
    *NASTY,
    " ",
    " blanks around ",
    "a",
    "'",
    "\\",
    "y" * 200,
    "é密" * 50,
    "\u00a0Ⅸ\u00ad\uffff",
    "*" + "0123456789ABCDEF" * 2 + "01234567",
    "$A$005$" + "x" * 63,
    "NULL",
)


@pytest.fixture
def benches() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bench_of(mysql_or_mariadb: MySQL, benches: ExitStack) -> BenchOf:
    return bench_on(mysql_or_mariadb, benches)


def bench_on(server: MySQL, stack: ExitStack) -> BenchOf:
    def make(strategy: StrategyName = SINGLE) -> Bench:
        target = MySQLTarget(server, strategy)
        return stack.enter_context(Bench(ROTATORS[server.kind], target))

    return make


def admin_of(bench: Bench) -> Mapping[str, Any]:
    assert bench.target.admin is not None
    return bench.target.admin


def secret_of(bench: Bench, user: User) -> str:
    """A secret of a user that is there already."""
    target: Any = bench.target
    if target.admin is not None and not bench.admin_arn:
        bench.admin_arn = bench.simulator.create_secret("admin", target.admin)
    admin = {} if target.admin is None else {"masterarn": bench.admin_arn}
    bench.engines.add(target.server.kind)
    value = target.server.secret(user.name, user.password, **admin)
    return bench.simulator.create_secret(f"of/{uuid.uuid4().hex}", value)


def rotate_by(bench: Bench, strategy: StrategyName, arn: str) -> None:
    bench.target.settings = replace(bench.target.settings, strategy=strategy)
    bench.driver.rotate(arn)


def rotate_to(bench: Bench, arn: str, password: str) -> None:
    """To a password that somebody has staged. The one before goes on where it is to."""
    token, old = bench.driver.start(arn), bench.current(arn)
    strategy, name = bench.target.settings.strategy, old["username"]
    if strategy is ALTERNATING:
        name = name.removesuffix("_clone") if name.endswith("_clone") else f"{name}_clone"
    staged(bench, arn, token, password=password, username=name)
    bench.driver.retry(arn, token)
    new = bench.current(arn)
    assert (new["username"], new["password"]) == (name, password)
    assert bench.target.logs_in(new)
    assert bench.target.logs_in(old) == (strategy is not SINGLE), password


def q(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def run(server: MySQL, *statements: str) -> None:
    with server.admin() as admin, admin.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def accounts(server: MySQL) -> dict[tuple[str, str], str]:
    """How each account logs in."""
    rows = server.execute("SELECT User, Host, plugin, authentication_string FROM mysql.user")
    return {(user, host): f"{plugin} {text}" for user, host, plugin, text in rows}


@pytest.fixture
def bystander(mysql_or_mariadb: MySQL) -> Iterator[User]:
    """A user that is none of a rotation's business. Neither is any other that there was."""
    server = mysql_or_mariadb
    other = server.create_user()
    before = accounts(server)
    yield other
    assert server.can_log_in(other.name, other.password)
    after = accounts(server)
    assert {name: after[name] for name in before} == before


# ── who ──


@pytest.mark.parametrize("name", [*NASTY, "x" * 26, "é" * 26])
def test_a_nasty_user_name(
    mysql_or_mariadb: MySQL, bench_of: BenchOf, bystander: User, name: str
) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    server.drop_later(f"{name}_clone")
    arn = secret_of(bench, user := server.create_user(name=name))
    for strategy, end in ((SINGLE, ""), (DUAL, ""), (ALTERNATING, "_clone"), (ALTERNATING, "")):
        rotate_by(bench, strategy, arn)
        assert bench.target.logs_in(bench.current(arn))
        assert bench.current(arn)["username"] == name + end
        assert not server.can_log_in(name, user.password)


@pytest.mark.parametrize("letter", ["x", "é"])
def test_the_longest_name(mysql_or_mariadb: MySQL, bench_of: BenchOf, letter: str) -> None:
    server, bench = mysql_or_mariadb, bench_of()
    name = letter * (32 if server.kind == "mysql" else 80)
    arn = secret_of(bench, server.create_user(name=name))
    bench.driver.rotate(arn)
    assert server.can_log_in(name, bench.current(arn)["password"])
    bench.driver.put_by_hand(arn, {**bench.current(arn), "username": name + letter})
    with pytest.raises(MisconfiguredSecret, match="longer than"):
        bench.driver.rotate(arn)


@pytest.mark.parametrize("host", HOSTS)
def test_a_user_of_some_hosts(mysql_or_mariadb: MySQL, bench_of: BenchOf, host: str) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    arn = secret_of(bench, user := server.create_user(host=host))
    for strategy in (SINGLE, DUAL, ALTERNATING, ALTERNATING):
        rotate_by(bench, strategy, arn)
        assert bench.target.logs_in(bench.current(arn))
    asked = "SELECT DISTINCT Host FROM mysql.user WHERE User LIKE %s"
    assert server.execute(asked, f"{user.name}%") == [(host,)]


def test_a_user_of_two_hosts_is_two(mysql_or_mariadb: MySQL, bench_of: BenchOf) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    user = server.create_user(host="127.0.0.1")
    server.create_user(name=user.name, host="10.%")
    before = accounts(server)
    arn = secret_of(bench, user)
    with pytest.raises(MisconfiguredSecret, match="2 host entries"):
        rotate_by(bench, ALTERNATING, arn)
    assert accounts(server) == before
    bench.driver.cancel(arn)
    arn = bench.simulator.create_secret("alone", server.secret(user.name, user.password))
    rotate_by(bench, SINGLE, arn)
    assert bench.target.logs_in(bench.current(arn))
    after = accounts(server)
    assert [name for name in before if after[name] != before[name]] == [(user.name, "127.0.0.1")]


@pytest.mark.parametrize("change", [str.upper, "{} ".format, " {}".format])
@pytest.mark.parametrize("strategy", StrategyName)
def test_a_name_that_is_nearly_one(
    mysql_or_mariadb: MySQL,
    bench_of: BenchOf,
    bystander: User,
    change: Callable[[str], str],
    strategy: StrategyName,
) -> None:
    bench = bench_of(strategy)
    arn = secret_of(bench, replace(bystander, name=change(bystander.name)))
    with pytest.raises((LoginRefused, UntrustedServer, MisconfiguredSecret)):
        bench.driver.rotate(arn)


def test_a_session_of_an_anonymous_account_proves_nothing(
    mysql_or_mariadb: MySQL, bench_of: BenchOf
) -> None:
    server, password = mysql_or_mariadb, "of nobody in particular"
    server.drop_later("")
    server.execute(f"CREATE USER ''@'%' IDENTIFIED BY '{password}'")
    before = accounts(server)
    for strategy in StrategyName:
        bench = bench_of(strategy)
        arn = secret_of(bench, replace(server.create_user(), name="nobody", password=password))
        with pytest.raises((UntrustedServer, MisconfiguredSecret)) as caught:
            bench.driver.rotate(arn)
        assert caught.value.cure
    after = accounts(server)
    assert {name: after[name] for name in before} == before
    assert not [user for user, _ in after if user.startswith("nobody")]


def test_the_admin_and_root_are_nobodys_base(mysql_or_mariadb: MySQL, bench_of: BenchOf) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    admin = admin_of(bench)
    users = [(server.user, server.password), (admin["username"], admin["password"])]
    for name, password in users:
        arn = secret_of(bench, replace(server.create_user(), name=name, password=password))
        before = accounts(server)
        with pytest.raises((ForbiddenTarget, MisconfiguredSecret)):
            bench.driver.rotate(arn)
        assert accounts(server) == before


def test_a_pending_value_for_somebody_else_changes_nobody(
    bench_of: BenchOf, bystander: User
) -> None:
    for strategy in StrategyName:
        bench = bench_of(strategy)
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        staged(bench, arn, token, username=bystander.name, password="another")
        with pytest.raises(ForbiddenTarget, match="AWSPENDING is for"):
            bench.driver.retry(arn, token)
        assert bench.target.logs_in(old)


# ── by what ──


@pytest.mark.parametrize("strategy", StrategyName)
def test_nasty_passwords(bench_of: BenchOf, bystander: User, strategy: StrategyName) -> None:
    bench = bench_of(strategy)
    arn, _ = bench.secret()
    for password in PASSWORDS:
        rotate_to(bench, arn, password)


# ── rights on whatever a database may hold ──

SCHEMAS = ("a` TO b", "it's", 'q"uote', "per%cent_", "co,mma (x)", "back\\slash", "ünï 密", "{} %s")
TABLES = ("t", "ON `x` TO", "a, b (c)", "it's", 'q"', "back\\", "line\nbreak", "FROM", "{0} %s")
ROLES = ("it's", "a TO b", "r`o`l`e", "back\\slash", "ON", "r, s", "{} %s")


@pytest.fixture
def schemas(mysql_or_mariadb: MySQL) -> Iterator[tuple[str, ...]]:
    server = mysql_or_mariadb
    with ExitStack() as stack:
        for schema in SCHEMAS:
            run(server, f"CREATE DATABASE {q(schema)}")
            stack.callback(run, server, f"DROP DATABASE {q(schema)}")
        yield SCHEMAS


def things(schema: str, table: str, user: str) -> list[str]:
    """A table and routines of this name, which the user may use in part."""
    on, column = f"{q(schema)}.{q(table)}", q(f"y {table}`")
    return [
        f"CREATE TABLE {on} (x INT, {column} INT)",
        f"GRANT DELETE, SELECT ({column}), INSERT (x) ON {on} TO {user}",
        f"CREATE PROCEDURE {on}() SELECT 1",
        f"GRANT EXECUTE ON PROCEDURE {on} TO {user}",
        f"CREATE FUNCTION {on}() RETURNS INT DETERMINISTIC RETURN 1",
        f"GRANT EXECUTE ON FUNCTION {on} TO {user}",
    ]


def test_rights_on_things_with_nasty_names(
    mysql_or_mariadb: MySQL, bench_of: BenchOf, bystander: User, schemas: tuple[str, ...]
) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    arn, value = bench.secret()
    user, admin = (f"`{name}`@`%`" for name in (value["username"], admin_of(bench)["username"]))
    run(server, f"GRANT {LENT}, ALTER ROUTINE ON *.* TO {admin} WITH GRANT OPTION")
    for number, schema in enumerate(schemas):
        named = q(schema.replace("_", "\\_").replace("%", "\\%"))
        run(server, f"GRANT {('SELECT', 'INSERT, DELETE')[number % 2]} ON {named}.* TO {user}")
    for table in TABLES:
        run(server, *things(schemas[0], table, user))
    run(server, f"GRANT SELECT ON `wild%`.* TO {user}", f"GRANT SELECT ON `w\\_ld`.* TO {user}")
    for _ in range(3):
        bench.driver.rotate(arn)
    new = bench.current(arn)
    assert new["username"] == value["username"] + "_clone"
    with server.connect(new["username"], new["password"]) as own, own.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"CALL {q(schemas[0])}.{q(table)}()")
            assert list(cursor.fetchall()) == [(1,)]
            cursor.execute(f"DELETE FROM {q(schemas[0])}.{q(table)}")  # noqa: S608


@pytest.mark.parametrize("default", [True, False])
def test_roles_with_nasty_names(
    mysql_or_mariadb: MySQL, bench_of: BenchOf, bystander: User, *, default: bool
) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    arn, value = bench.secret()
    target: Any = bench.target
    user, admin = (f"`{name}`@`%`" for name in (value["username"], admin_of(bench)["username"]))
    for role in ROLES:
        server.drop_later(role)
        run(
            server,
            f"CREATE ROLE {q(role)}",
            f"GRANT DELETE ON {target.database}.t TO {q(role)}",
            f"GRANT {q(role)} TO {admin} WITH ADMIN OPTION",
            f"GRANT {q(role)} TO {user}",
        )
    if default and server.kind == "mysql":
        run(server, f"ALTER USER {user} DEFAULT ROLE {', '.join(map(q, ROLES))}")
    elif default:
        run(server, f"SET DEFAULT ROLE {q(ROLES[0])} FOR {user}")
    for _ in range(3):
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))


def test_an_alternate_with_more_rights_ends_with_the_bases(
    mysql_or_mariadb: MySQL, bench_of: BenchOf, bystander: User
) -> None:
    server, bench = mysql_or_mariadb, bench_of(ALTERNATING)
    target: Any = bench.target
    arn, value = bench.secret()
    base, clone = (f"`{value['username']}{end}`@`%`" for end in ("", "_clone"))
    bench.driver.rotate(arn)
    bench.driver.rotate(arn)
    given = f"ALL PRIVILEGES ON {target.database}"
    run(
        server,
        f"GRANT {given}.* TO {clone} WITH GRANT OPTION",
        f"GRANT {given}.t TO {clone} WITH GRANT OPTION",
        f"GRANT {given}.* TO `{admin_of(bench)['username']}`@`%` WITH GRANT OPTION",
    )
    bench.driver.rotate(arn)
    assert bench.current(arn)["username"].endswith("_clone")
    if server.kind == "mysql":  # whose alternate has the base for a role
        assert [row for (row,) in server.execute(f"SHOW GRANTS FOR {clone}") if ".`t`" in row] == []
        return
    rights = [
        {row.split(" IDENTIFIED")[0].replace(account, "") for (row,) in rows}
        for account in (base, clone)
        for rows in [server.execute(f"SHOW GRANTS FOR {account}")]
    ]
    assert rights[0] == rights[1]


# ── servers that were set up strangely ──

STRANGE: dict[str, dict[str, str]] = {
    "modes": {
        "sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT",
        "init-connect": "SET NAMES latin1, SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'",
        "transaction-isolation": "SERIALIZABLE",
        "autocommit": "OFF",
    },
    "latin1": {"character-set-server": "latin1", "collation-server": "latin1_bin"},
}


@pytest.mark.parametrize("setting", STRANGE)
@pytest.mark.parametrize("kind", ROTATORS)
def test_a_server_with_settings_of_its_own(
    private_mysql: PrivateMySQL, private_mariadb: PrivateMySQL, kind: str, setting: str
) -> None:
    private = private_mysql if kind == "mysql" else private_mariadb
    settings = dict(STRANGE[setting])
    if setting == "latin1" and kind == "mariadb":
        settings["skip-character-set-client-handshake"] = "ON"  # MySQL has it no more
    with private(settings=settings) as server, ExitStack() as stack:
        for strategy in StrategyName:
            bench = bench_on(server, stack)(strategy)
            arn, value = bench.secret()
            schema = q(f"{strategy} 'ü\\")
            given = f"GRANT SELECT ON {schema}.* TO `{value['username']}`"
            run(server, "SET NAMES utf8mb4", f"CREATE DATABASE {schema}", given)
            if bench.target.admin is not None:
                run(
                    server,
                    f"GRANT SELECT ON *.* TO `{admin_of(bench)['username']}` WITH GRANT OPTION",
                )
            rotate_to(bench, arn, "ü'\"\\密\\")
            bench.driver.rotate(arn)
            assert bench.target.logs_in(bench.current(arn))


# ── the secret's dbname ──


@pytest.mark.parametrize("strategy", StrategyName)
def test_a_database_that_is_not_there(
    bench_of: BenchOf, bystander: User, strategy: StrategyName
) -> None:
    bench = bench_of(strategy)
    arn, old = bench.secret(dbname="no such 'database`")
    with pytest.raises(PermissionMissing, match="database") as caught:
        bench.driver.rotate(arn)
    assert "dbname" in caught.value.cure
    assert bench.target.logs_in(old)


def test_an_admin_needs_no_right_in_the_dbname(mysql: MySQL, benches: ExitStack) -> None:
    bench = bench_on(mysql, benches)(ALTERNATING)
    target: Any = bench.target
    arn, old = bench.secret(dbname=target.database)
    run(
        mysql,
        f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM `{admin_of(bench)['username']}`@`%`",
        f"GRANT CREATE USER, ROLE_ADMIN ON *.* TO `{admin_of(bench)['username']}`@`%`",
        f"GRANT SELECT ON mysql.* TO `{admin_of(bench)['username']}`@`%`",
    )
    for _ in range(2):
        bench.driver.rotate(arn)
    assert bench.current(arn)["dbname"] == old["dbname"]
    assert bench.target.logs_in(bench.current(arn))


@pytest.mark.parametrize("dbname", [None, "", "its own"])
def test_what_aws_documents_is_taken(bench_of: BenchOf, dbname: str | None) -> None:
    bench = bench_of(ALTERNATING)
    target: Any = bench.target
    named = target.database if dbname == "its own" else dbname
    arn, old = bench.secret(dbname=named)
    bench.driver.put_by_hand(arn, {**old, "port": str(old["port"])})
    for strategy in StrategyName:
        rotate_by(bench, strategy, arn)
        new = bench.current(arn)
        assert (new["port"], new["dbname"]) == (str(old["port"]), named)
        assert bench.target.logs_in(new)
