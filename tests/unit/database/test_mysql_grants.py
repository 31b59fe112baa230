"""Rights as MySQL and MariaDB tell them: read, compared, and written again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import pytest

from rotators.database.mysql_accounts import Account, quoted
from rotators.database.mysql_grants import (
    ALL,
    Right,
    Rights,
    changes,
    lacking,
    rights_of,
    roles_in,
    without_roles,
)

ME = Account("me", "%")
OPTION = "GRANT OPTION"
ROLE, ROLE_ADMIN, DEFAULT_ROLE = "ROLE", "ROLE WITH ADMIN OPTION", "DEFAULT ROLE"

# ── rows of both servers ──

ROWS: dict[str, set[tuple[str, str]]] = {
    "GRANT USAGE ON *.* TO `me`@`%`": set(),
    "GRANT SELECT, CREATE TEMPORARY TABLES ON *.* TO `me`@`%`": {
        ("SELECT", "*.*"),
        ("CREATE TEMPORARY TABLES", "*.*"),
    },
    "GRANT AUDIT_ADMIN,BACKUP_ADMIN ON *.* TO `me`@`%` WITH GRANT OPTION": {
        ("AUDIT_ADMIN", "*.*"),
        ("BACKUP_ADMIN", "*.*"),
        (OPTION, "*.*"),
    },
    "GRANT ALL PRIVILEGES ON `shop`.* TO `me`@`%`": {(ALL, "`shop`.*")},
    "GRANT SELECT (`x`, `y`), INSERT, UPDATE (`x`) ON `d`.`t` TO `me`@`%`": {
        ("SELECT (`x`)", "`d`.`t`"),
        ("SELECT (`y`)", "`d`.`t`"),
        ("INSERT", "`d`.`t`"),
        ("UPDATE (`x`)", "`d`.`t`"),
    },
    "GRANT SELECT (`a, b)`, `ON``TO`) ON `d (`.`,` TO `me`@`%`": {
        ("SELECT (`a, b)`)", "`d (`.`,`"),
        ("SELECT (`ON``TO`)", "`d (`.`,`"),
    },
    "GRANT USAGE ON `d`.`t` TO `me`@`%` WITH GRANT OPTION": {(OPTION, "`d`.`t`")},
    "GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `d`.`p` TO `me`@`%`": {
        ("EXECUTE", "PROCEDURE `d`.`p`"),
        ("ALTER ROUTINE", "PROCEDURE `d`.`p`"),
    },
    "GRANT EXECUTE ON FUNCTION `d`.`f` TO `me`@`%`": {("EXECUTE", "FUNCTION `d`.`f`")},
    "GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO `me`@`%`": {("EXECUTE", "PACKAGE BODY `d`.`p`")},
    "GRANT PROXY ON ``@`` TO `me`@`%` WITH GRANT OPTION": {
        ("PROXY", "``@``"),
        (OPTION, "``@``"),
    },
    r"GRANT PROXY ON 'it\'s TO'@'%' TO 'me'@'%'": {("PROXY", r"'it\'s TO'@'%'")},
    "GRANT `r`@`%`,`s`@`10.%` TO `me`@`%`": {(ROLE, "`r`@`%`"), (ROLE, "`s`@`10.%`")},
    "GRANT `r`@`%` TO `me`@`%` WITH ADMIN OPTION": {
        (ROLE, "`r`@`%`"),
        (ROLE_ADMIN, "`r`@`%`"),
    },
    "GRANT `a TO b` TO `me`@`%`": {(ROLE, "`a TO b`")},
    "SET DEFAULT ROLE `r` FOR `me`@`%`": {(DEFAULT_ROLE, "`r`")},
    "REVOKE INSERT, UPDATE ON `mysql`.* FROM `me`@`%`": {
        ("NOT INSERT", "`mysql`.*"),
        ("NOT UPDATE", "`mysql`.*"),
    },
    # MariaDB goes on about how the user logs in.
    f"GRANT SELECT ON *.* TO `me`@`%` IDENTIFIED BY PASSWORD '*{'0' * 40}'": {("SELECT", "*.*")},
    f"GRANT SELECT ON *.* TO `me`@`%` IDENTIFIED VIA mysql_native_password USING '*{'A' * 40}'"
    " OR ed25519 USING 'xyz' REQUIRE SSL WITH GRANT OPTION": {("SELECT", "*.*"), (OPTION, "*.*")},
    "GRANT USAGE ON *.* TO `me`@`%` REQUIRE ISSUER '/CN=i' SUBJECT '/CN=o'neil' CIPHER 'x'"
    " WITH GRANT OPTION MAX_QUERIES_PER_HOUR 5 MAX_STATEMENT_TIME 1.500000": {(OPTION, "*.*")},
    "GRANT SELECT ON *.* TO `me`@`%` REQUIRE SUBJECT '/CN= WITH GRANT OPTION'": {("SELECT", "*.*")},
    "GRANT SELECT ON *.* TO `me`@`%` WITH MAX_USER_CONNECTIONS -1": {("SELECT", "*.*")},
    "GRANT CREATE USER ON *.* TO `me`@`%` WITH GRANT OPTION MAX_USER_CONNECTIONS -1": {
        ("CREATE USER", "*.*"),
        (OPTION, "*.*"),
    },
    # … and about its roles, and everybody's.
    "GRANT SELECT ON `d`.* TO `r`": set(),
    "GRANT SELECT ON `d`.* TO PUBLIC": set(),
    "GRANT SELECT ON `d`.* TO `PUBLIC`": set(),
    "GRANT `s` TO `r`": set(),
    "GRANT SELECT ON `d`.* TO `me`@`localhost`": set(),
    "GRANT SELECT ON `d`.* TO `me`": set(),
}


@pytest.fixture(params=range(50))
def dice(request: pytest.FixtureRequest) -> Random:
    """Falls the same way every time."""
    return Random(request.param)  # noqa: S311


def rights(*pairs: tuple[str, str]) -> Rights:
    return frozenset(Right(*pair) for pair in pairs)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_read(row: str) -> None:
    assert rights_of([row], ME) == rights(*ROWS[row])


def test_a_role_of_mariadb_has_rights_but_no_host() -> None:
    assert rights_of(["GRANT SELECT ON `d`.* TO `me`"], Account("me")) == rights(
        ("SELECT", "`d`.*")
    )


def test_roles_are_told_from_rights() -> None:
    told = rights_of(
        ["GRANT `r`@`%`,`s``' `@`h` TO `me`@`%`", "GRANT SELECT ON *.* TO `me`@`%`"], ME
    )
    assert roles_in(told) == [Account("r", "%"), Account("s`' ", "h")]
    assert without_roles(told) == rights(("SELECT", "*.*"))


# ── accounts ──


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("`a`@`%`", Account("a", "%")),
        ("'a'@'%'", Account("a", "%")),
        ("`a`", Account("a")),
        ("``@`%`", Account("", "%")),
        ("'it''s'@'h'", Account("it's", "h")),
        (r"'it\'s \\'@'h'", Account("it's \\", "h")),
        ("`a`@`%` REQUIRE SUBJECT '@`b`'", Account("a", "%")),
        ("PUBLIC", Account("PUBLIC")),
    ],
)
def test_an_account_is_read(text: str, account: Account) -> None:
    assert Account.parse(text) == account


ADMINISTRATIVE = [
    (ALL, "*.*"),
    ("SUPER", "*.*"),
    ("CREATE USER", "*.*"),
    ("SYSTEM_USER", "*.*"),
    ("READ_ONLY ADMIN", "*.*"),
    ("INSERT", "*.*"),
    ("UPDATE", "*.*"),
    ("PROXY", "``@``"),
    ("PROXY", "`root`@`%`"),
    ("UPDATE", "`mysql`.*"),
    ("UPDATE", "`MySQL`.`user`"),
    ("INSERT (`User`)", "`mysql`.`user`"),
    (ALL, "`mysql`.*"),
    (ALL, "`%`.*"),
    (ALL, "`my%`.*"),
    (ALL, "`m_sql`.*"),
    (ALL, "`mysql`.`global_priv`"),
]
HARMLESS = [
    ("SELECT", "*.*"),
    ("DELETE", "*.*"),
    (OPTION, "*.*"),
    ("APPLICATION_PASSWORD_ADMIN", "*.*"),
    ("SELECT", "`mysql`.*"),
    (ALL, "`shop`.*"),
    (ALL, "`mysql2`.*"),
    (ALL, "`mysql_`.*"),
    (ALL, r"`m\_sql`.*"),
    (ALL, "`my.*`.*"),
    ("UPDATE (`mysql`)", "`d`.`mysql`"),
    ("NOT UPDATE", "`mysql`.*"),
    ("EXECUTE", "PROCEDURE `mysql`.`p`"),
    (ROLE, "`root`@`%`"),
]


@pytest.mark.parametrize("right", ADMINISTRATIVE, ids=" ON ".join)
def test_a_right_over_others_is_administrative(right: tuple[str, str]) -> None:
    assert Right(*right).administrative


@pytest.mark.parametrize("right", HARMLESS, ids=" ON ".join)
def test_a_right_to_data_is_not(right: tuple[str, str]) -> None:
    assert not Right(*right).administrative


# ── what is lacking ──


@pytest.mark.parametrize(
    ("wanted", "had", "said"),
    [
        ([("SELECT", "`d`.*")], [("SELECT", "`d`.*"), ("INSERT", "`d`.*")], []),
        ([("SELECT", "`d`.*")], [("SELECT", "*.*")], []),
        ([("SELECT", "`d`.*")], [(ALL, "`d`.*")], []),
        ([("SELECT (`x`)", "`d`.`t`")], [("SELECT", "`d`.`t`")], []),
        ([("SELECT (`x`)", "`d`.`t`")], [(ALL, "*.*")], []),
        ([("SELECT", "`d`.`t`")], [("SELECT (`x`)", "`d`.`t`")], ["SELECT ON `d`.`t`"]),
        ([(ALL, "`d`.*")], [("SELECT", "`d`.*")], ["ALL PRIVILEGES ON `d`.*"]),
        ([(OPTION, "`d`.*")], [(ALL, "`d`.*")], ["GRANT OPTION ON `d`.*"]),
        ([(ROLE, "`r`")], [], ["ROLE `r`"]),
        ([("NOT SELECT", "`d`.*")], [], []),
        ([], [("NOT SELECT", "`d`.*")], ["NOT SELECT ON `d`.*"]),
    ],
)
def test_what_is_lacking_is_said(
    wanted: list[tuple[str, str]], had: list[tuple[str, str]], said: list[str]
) -> None:
    assert lacking(rights(*wanted), rights(*had)) == said


# ── any name: written, read, the same ──

_PIECES = [
    *"`'\"\\ ,().%_@;-#\n\t{}ü密😀aZ0",
    *(" TO ", " ON ", " FROM ", " FOR ", "``", "\\'", "WITH GRANT OPTION", "IDENTIFIED BY", "%s"),
]


def nasty(dice: Random) -> str:
    return "".join(dice.choices(_PIECES, k=dice.randint(1, 6)))


def anything(dice: Random) -> Rights:
    """Rights on objects with such names, no two of which say the same."""

    def name() -> str:
        return quoted(nasty(dice))

    table = f"{name()}.{name()}"
    return rights(
        ("SELECT", table),
        (f"INSERT ({name()})", table),
        (f"INSERT ({name()})", table),
        ("EXECUTE", f"PROCEDURE {name()}.{name()}"),
        (OPTION, f"{name()}.*"),
        (ROLE, f"{name()}@{name()}"),
        (ROLE_ADMIN, role := name()),
        (ROLE, role),
        (DEFAULT_ROLE, name()),
        ("NOT DELETE", f"{name()}.*"),
    )


def test_names_may_hold_anything(dice: Random) -> None:
    account = Account(nasty(dice), nasty(dice))
    wanted = anything(dice)
    assert Account.parse(f"{account} IDENTIFIED BY PASSWORD ''") == account
    statements = changes(wanted, frozenset(), account)
    assert rights_of(statements, account) == wanted
    assert not rights_of(statements, Account("somebody else", "%"))
    taken = changes(frozenset(), wanted, account)
    # Read as rows, what REVOKE takes is what GRANT gave.
    assert {right for right in rights_of(taken, account) if "DELETE" in right.privilege} == {
        Right("DELETE", right.on) for right in wanted if right.privilege == "NOT DELETE"
    }


# ── a server that does what the statements say ──

OBJECTS = {
    "*.*": {"SELECT", "INSERT", "DELETE", "PROCESS"},
    "`d`.*": {"SELECT", "INSERT", "DELETE"},
    "`d`.`t`": {"SELECT", "INSERT", "DELETE"},
    "PROCEDURE `d`.`p`": {"EXECUTE", "ALTER ROUTINE"},
}
COLUMNS = ["SELECT (`x`)", "SELECT (`y`)", "INSERT (`x`)"]
_STATEMENT = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<names>.+?)(?: ON (?P<on>(?:PROCEDURE )?\S+))? (?:TO|FROM) `me`@`%`"
    r"(?P<option> WITH (?:GRANT|ADMIN) OPTION)?"
)


class Server:
    """One account's rights, kept as both servers keep them, as far as it matters here."""

    def __init__(self, told: Rights) -> None:
        self.has = set(told)

    def told(self) -> Rights:
        """As SHOW GRANTS: whoever has all has ALL PRIVILEGES, and nothing is said of columns."""
        shown = set(self.has)
        for on, every in OBJECTS.items():
            if {Right(name, on) for name in every} <= shown:
                kept = {Right(ALL, on), Right(OPTION, on)}
                shown = {r for r in shown if r.on != on or r.privilege == OPTION}
                shown |= {Right(ALL, on)} | (kept & self.has)
        return frozenset(shown)

    def execute(self, statement: str) -> None:
        if default := re.fullmatch("SET DEFAULT ROLE (.+) FOR `me`@`%`", statement):
            self.has = {right for right in self.has if right.privilege != DEFAULT_ROLE}
            if default[1] != "NONE":
                assert Right(ROLE, default[1]) in self.has, "not a role of this user"
                self.has.add(Right(DEFAULT_ROLE, default[1]))
            return
        found = _STATEMENT.fullmatch(statement)
        assert found is not None, f"syntax: {statement}"
        if found["on"] is None:
            self._role(found["verb"], found["names"], option=bool(found["option"]))
        else:
            self._right(found["verb"], found["names"], found["on"], option=bool(found["option"]))

    def _role(self, verb: str, role: str, *, option: bool) -> None:
        if verb == "GRANT":
            self.has |= {Right(ROLE, role)} | ({Right(ROLE_ADMIN, role)} if option else set())
        else:
            assert Right(ROLE, role) in self.has, f"no such grant: {role}"
            self.has -= {Right(ROLE, role), Right(ROLE_ADMIN, role)}

    def _right(self, verb: str, names: str, on: str, *, option: bool) -> None:
        listed = re.split(r", (?![^(]*\))", names)
        assert ALL not in listed or listed == [ALL], f"syntax: {names}"
        assert verb == "REVOKE" or OPTION not in listed, f"syntax: {names}"
        if listed == [ALL]:
            listed = sorted(OBJECTS[on])
        if verb == "GRANT":
            self.has |= {Right(name, on) for name in listed if name != "USAGE"}
            self.has |= {Right(OPTION, on)} if option else set()
            return
        for name in listed:
            # What is revoked from a table goes from its columns too.
            gone = {r for r in self.has if name in (r.privilege, r.privilege.split(" (")[0])}
            self.has -= {right for right in gone if right.on == on}


def some(dice: Random) -> Rights:
    """Rights that a user might have."""
    server = Server(frozenset())
    for on, names in OBJECTS.items():
        chosen = dice.choice([set(), names, set(dice.sample(sorted(names), 1)), set()])
        server.has |= {Right(name, on) for name in chosen}
        if dice.random() < 0.3:
            server.has.add(Right(OPTION, on))
    server.has |= {Right(name, "`d`.`t`") for name in COLUMNS if dice.random() < 0.3}
    for role in ("`r`", "`s`"):
        if dice.random() < 0.5:
            server.has.add(Right(ROLE, role))
            server.has |= {Right(ROLE_ADMIN, role)} if dice.random() < 0.5 else set()
    roles = [right.on for right in sorted(server.has) if right.privilege == ROLE]
    if roles and dice.random() < 0.5:
        server.has.add(Right(DEFAULT_ROLE, dice.choice(roles)))
    return server.told()


def settled(wanted: Rights, had: Rights) -> Iterator[list[str]]:
    """The statements of each round, up to none, as long as the engine goes on."""
    server = Server(frozenset())
    for statement in changes(had, frozenset(), ME):
        server.execute(statement)
    assert server.told() == had
    for _ in range(3):
        statements = changes(wanted, server.told(), ME)
        yield statements
        if not statements:
            return
        for statement in statements:
            server.execute(statement)


def test_any_rights_become_any_others(dice: Random) -> None:
    for _ in range(10):
        wanted, had = some(dice), some(dice)
        assert list(settled(wanted, had))[-1] == []


T = "`d`.`t`"


@pytest.mark.parametrize(
    ("wanted", "had"),
    [
        ([(ALL, T)], [("SELECT", T)]),
        ([("SELECT", T)], [(ALL, T)]),
        ([("SELECT", T)], [(ALL, T), (OPTION, T)]),
        ([], [(ALL, T), (OPTION, T)]),
        ([("SELECT (`x`)", T)], [(ALL, T), (OPTION, T)]),
        ([("SELECT (`x`)", T)], [("SELECT", T)]),
        ([("SELECT", T)], [("SELECT (`x`)", T)]),
        ([(OPTION, T)], [(ALL, T)]),
        ([(ALL, T), (OPTION, T)], []),
        ([(ROLE, "`r`")], [(ROLE, "`r`"), (ROLE_ADMIN, "`r`")]),
        ([(ROLE, "`r`"), (ROLE_ADMIN, "`r`")], [(ROLE, "`r`")]),
        (
            [(ROLE, "`r`"), (DEFAULT_ROLE, "`r`")],
            [(ROLE, "`r`"), (ROLE_ADMIN, "`r`"), (DEFAULT_ROLE, "`r`")],
        ),
        (
            [(ROLE, "`r`"), (DEFAULT_ROLE, "`r`")],
            [(ROLE, "`s`"), (DEFAULT_ROLE, "`s`")],
        ),
    ],
)
def test_these_rights_become_those(
    wanted: list[tuple[str, str]], had: list[tuple[str, str]]
) -> None:
    assert list(settled(rights(*wanted), rights(*had)))[-1] == []


def test_equal_rights_need_no_statement(dice: Random) -> None:
    same = some(dice)
    assert changes(same, same, ME) == []


# ── what a right is on ──


@pytest.mark.parametrize(
    ("right", "question", "column"),
    [
        (Right("SELECT", "*.*"), None, None),
        (Right("SELECT", "`shop`.*"), None, None),
        (Right(ROLE, "`reader`@`%`"), None, None),
        (Right("SELECT", "`d`.`t`"), "SHOW COLUMNS FROM `d`.`t`", None),
        (Right("SELECT (`X ``(y)`)", "`d`.`*`"), "SHOW COLUMNS FROM `d`.`*`", "x `(y)"),
        (Right("EXECUTE", "PROCEDURE `d`.`p`"), "SHOW CREATE PROCEDURE `d`.`p`", None),
        (Right("EXECUTE", "PACKAGE BODY `d`.`p`"), "SHOW CREATE PACKAGE BODY `d`.`p`", None),
    ],
)
def test_what_shows_the_object_of_a_right(
    right: Right, question: str | None, column: str | None
) -> None:
    assert (right.question, right.column) == (question, column)
