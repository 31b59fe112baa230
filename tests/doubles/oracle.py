"""A double of Oracle 19c on the wire, as there is no Oracle server to be had as a package.

It proves what ``oracle_wire`` says. Of what Oracle *means* it proves nothing: this is a reading of
its manuals, and everything below is an assumption until ORACLE_TEST_DSN names a real server.

Database Security Guide, "Configuring Authentication":
 * at logon: locked (28000) comes first, then a wrong password (1017), then expired (28001), then
   the lack of CREATE SESSION (1045), so the last two are said only to whoever knows the password;
 * FAILED_LOGIN_ATTEMPTS refused logins lock the account;
 * "Managing Gradual Database Password Rollover": the first change begins the period, in which the
   password before it and the newest one log in; a further change replaces the newest and does not
   make the period longer; either may be given as the old one; EXPIRE PASSWORD ROLLOVER PERIOD
   leaves the newest. Whether a user may end its own period without ALTER USER is not known here
   (``own_expire``).
SQL Language Reference, "ALTER USER", "CREATE USER", "GRANT", "REVOKE", "CREATE PROFILE":
 * passwords of more than 30 bytes are refused (972); the verify function answers 28003, the history
   28007; the user itself has to give the old password where there is a verify function (28221);
 * 28008 for a wrong old password; a changed password ends the expiry, not the lock;
 * new users have no quota and DEFAULT ROLE ALL; roles granted later are default as long as it is;
 * who may pass on what: WITH ADMIN or GRANT OPTION, GRANT ANY …, the owner; else 1932, 1031 or 942;
   a REVOKE by somebody else than the grantor is 1927, except with GRANT ANY OBJECT PRIVILEGE;
 * REVOKE takes a privilege on columns with the one on the object;
 * from 23 on: system privileges ON SCHEMA, by GRANT ANY PRIVILEGE or the schema's owner.
Database Reference: SYS.DBA_… is read by the DBA role, SELECT_CATALOG_ROLE, SELECT ANY DICTIONARY.

Not there: transactions, PL/SQL, SYSDBA, native network encryption, 23ai's fast authentication,
session time-outs, password grace time. Statements are recognised by regular expressions, one a
call. Only verifiers are stored, never a password. ``asked`` keeps every statement; ``audit`` is
what a unified audit trail shows of it: passwords as stars (Security Guide, "Administering the Audit
Trail"). Every connection has to be closed before the interpreter exits.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.doubles.oracle_bytes import OraError, Verifier

_LONGEST = 30
_DAY = 86400
_NAME = r'(?:"(?P<{0}q>[^"]+)"|(?P<{0}>[A-Za-z][\w$#]*))'
_PASSWORD = r'"(?P<{0}>[^"]*)"'
_ALL = "every privilege"
_LIMITS = {"PASSWORD_ROLLOVER_TIME": "0", "FAILED_LOGIN_ATTEMPTS": "10"}
_SECRET = re.compile(r'(IDENTIFIED BY|REPLACE) "[^"]*"')


def _statement(text: str) -> re.Pattern[str]:
    """A space stands for any white space."""
    return re.compile(r"^\s*" + text.replace(" ", r"\s+") + r"\s*$", re.I | re.S)


_CREATE_USER = _statement(
    f"CREATE USER {_NAME.format('u')} IDENTIFIED BY {_PASSWORD.format('p')}(?P<rest>.*)"
)
_ALTER_USER = _statement(f"ALTER USER {_NAME.format('u')} (?P<rest>.+)")
_DROP_USER = _statement(f"DROP USER {_NAME.format('u')}(?: CASCADE)?")
_CREATE_ROLE = _statement(f"CREATE ROLE {_NAME.format('u')}")
_PROFILE = _statement(f"(?:CREATE|ALTER) PROFILE {_NAME.format('u')} LIMIT (?P<rest>.+)")
_CREATE_TABLE = _statement(
    r"CREATE (?P<kind>TABLE|VIEW|DIRECTORY|PROCEDURE) (?P<o>(?:[\w.$#]|\"[^\"]+\")+)(?: .*)?"
)
_GRANT = _statement(
    r"(?P<verb>GRANT|REVOKE) (?P<what>.+?)(?: ON (?:(?P<kind>DIRECTORY|USER|SCHEMA) )?(?P<o>.+?))?"
    rf" (?:TO|FROM) {_NAME.format('u')}(?P<options>(?: WITH \w+ OPTION)*)"
)
_CLAUSE = re.compile(
    r"\s*(?:(?P<by>IDENTIFIED BY) \"(?P<p>[^\"]*)\"(?: REPLACE \"(?P<old>[^\"]*)\")?"
    r"|(?P<expire>PASSWORD EXPIRE)|(?P<end>EXPIRE PASSWORD ROLLOVER PERIOD)"
    r"|ACCOUNT (?P<lock>LOCK|UNLOCK)|PROFILE \"?(?P<profile>[\w$#]+)\"?"
    r"|DEFAULT ROLE (?P<default>ALL|NONE|\"[^\"]+\"(?:, \"[^\"]+\")*)"
    r"|DEFAULT TABLESPACE \"?(?P<space>[\w$#]+)\"?"
    r"|TEMPORARY TABLESPACE \"?(?P<temp>[\w$#]+)\"?"
    r"|QUOTA (?P<most>UNLIMITED|\d+) ON \"?(?P<on>[\w$#]+)\"?)",
    re.I,
)


class Given(NamedTuple):
    """How an object's privilege was given."""

    grantable: bool
    hierarchy: bool
    grantor: str


@dataclass
class Account:
    """A user, or (without a password) a role."""

    verifier: Verifier | None = None
    old: Verifier | None = None
    old_until: float = 0.0
    history: list[Verifier] = field(default_factory=list)
    expired: bool = False
    locked: bool = False
    failures: int = 0
    maintained: bool = False
    profile: str = "DEFAULT"
    space: str = "USERS"
    temporary: str = "TEMP"
    roles: dict[str, bool] = field(default_factory=dict)
    default_roles: set[str] | None = None  # None: all
    system: dict[str, bool] = field(default_factory=dict)
    schemas: dict[tuple[str, str], bool] = field(default_factory=dict)
    objects: dict[tuple[str, str, str], Given] = field(default_factory=dict)
    columns: dict[tuple[str, str, str, str], Given] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)

    def starts_with(self, role: str) -> bool:
        return self.default_roles is None or role in self.default_roles


class Oracle:
    """The database. ``verify``: a password function; it returns why not, or None."""

    version: tuple[int, int, int, int, int] = (19, 24, 0, 0, 0)

    def __init__(self, system_password: str, services: tuple[str, ...] = ("orclpdb1",)) -> None:
        self.lock = threading.RLock()
        self.services, self.sids = set(services), {"orcl"}
        self.users: dict[str, Account] = {}
        self.roles = {
            "CONNECT": Account(system={"CREATE SESSION": False}),
            "DBA": Account(system={_ALL: True}),
            "SELECT_CATALOG_ROLE": Account(),
        }
        self.profiles: dict[str, dict[str, str]] = {"DEFAULT": dict(_LIMITS)}
        self.objects: dict[tuple[str, str], str] = {}
        self.proxies: list[tuple[str, str]] = []
        self.groups: list[tuple[str, str]] = []
        self.hosts: list[tuple[str, str, str]] = []
        self.password_file = {"SYS"}
        self.asked: list[tuple[str, str]] = []
        self.logons: list[str] = []
        self.refused: list[str] = []
        self.sessions = itertools.count(100)
        self.verify: Callable[[str, str], str | None] | None = None
        self.remembers = False  # PASSWORD_REUSE_MAX UNLIMITED
        self.own_expire = False
        self.read_only = False
        self.before: Callable[[str | None, str], None] | None = None
        self._add("SYSTEM", system_password)
        self.users["SYSTEM"].roles["DBA"] = True
        self.users["SYSTEM"].maintained = True

    @property
    def audit(self) -> str:
        """Every statement, as an audit trail shows it."""
        return "\n".join(
            f"{who}: {_SECRET.sub(lambda m: f'{m[1]} *', text)}" for who, text in self.asked
        )

    def _add(self, name: str, password: str) -> None:
        self.users[name] = Account(Verifier(password.encode()))

    # ── rights

    def held(self, who: str) -> set[str]:
        """System privileges, by roles too."""
        found, waiting, seen = set[str](), [who], {who}
        while waiting:
            one = self._grantee(waiting.pop())
            found |= set(one.system)
            waiting += set(one.roles) - seen
            seen |= set(one.roles)
        return found

    def _roles_of(self, who: str) -> set[str]:
        found, waiting = set[str](), [who]
        while waiting:
            more = set(self._grantee(waiting.pop()).roles) - found
            found |= more
            waiting += more
        return found

    def may(self, who: str, privilege: str) -> bool:
        return bool({_ALL, privilege} & self.held(who))

    def _require(self, who: str, privilege: str) -> None:
        if not self.may(who, privilege):
            raise OraError(1031, "insufficient privileges")

    def reads_dictionary(self, who: str) -> bool:
        by_role = "SELECT_CATALOG_ROLE" in self._roles_of(who)
        return by_role or self.may(who, "SELECT ANY DICTIONARY")

    def _grantee(self, name: str) -> Account:
        found = self.users.get(name) or self.roles.get(name)
        if found is None:
            raise OraError(1917, f"user or role '{name}' does not exist")
        return found

    # ── passwords

    def limits(self, profile: str) -> Mapping[str, str]:
        """A profile's, those of DEFAULT filled in."""
        return {**self.profiles["DEFAULT"], **self.profiles[profile]}

    def candidates(self, name: str) -> list[Verifier]:
        """The verifiers that a logon may match."""
        one = self.users[name]
        return [v for v in (one.verifier, one.old if self.in_rollover(name) else None) if v]

    def knows(self, name: str, password: str) -> bool:
        return any(v.matches(password.encode()) for v in self.candidates(name))

    def failed(self, name: str) -> None:
        """Counts a refused login."""
        self.refused.append(name)
        if name in self.users:
            one = self.users[name]
            one.failures += 1
            most = self.limits(one.profile)["FAILED_LOGIN_ATTEMPTS"]
            one.locked = one.locked or (most.isdigit() and one.failures >= int(most))

    def in_rollover(self, name: str) -> bool:
        one = self.users[name]
        return one.old is not None and one.old_until > time.time()

    def status(self, name: str) -> str:
        """DBA_USERS.ACCOUNT_STATUS."""
        one = self.users[name]
        words = [w for w, said in (("EXPIRED", one.expired), ("LOCKED", one.locked)) if said]
        return " & ".join((words or ["OPEN"]) + ["IN ROLLOVER"] * self.in_rollover(name))

    def set_password(self, name: str, password: str) -> None:
        self._check(name, password)
        one = self.users[name]
        days = _days(self.limits(one.profile)["PASSWORD_ROLLOVER_TIME"])
        if days and not self.in_rollover(name):
            one.old, one.old_until = one.verifier, time.time() + days * _DAY
        # Both have one salt, so that one logon can be matched with either.
        salt = one.old.salt if one.old is not None and self.in_rollover(name) else None
        if one.verifier is not None:
            one.history.append(one.verifier)
        one.verifier = Verifier(password.encode(), salt)
        one.expired = False

    def _check(self, name: str, password: str) -> None:
        if self.read_only:
            raise OraError(16000, "database or pluggable database open for read-only access")
        if not password:
            raise OraError(988, "missing or invalid password(s)")
        if len(password.encode()) > _LONGEST:
            raise OraError(972, "identifier is too long")
        one = self.users.get(name)
        if one is not None and self.remembers:
            past = [*one.history, *self.candidates(name)]
            if any(verifier.matches(password.encode()) for verifier in past):
                raise OraError(28007, "the password cannot be reused")
        if self.verify and (why := self.verify(name, password)):
            failed = "password verification for the specified password failed"
            raise OraError(28003, f"{failed}\nORA-20001: {why}")

    # ── statements

    def define(self, who: str, text: str) -> None:
        """Runs a statement that is not a query."""
        if self.read_only:
            raise OraError(16000, "database or pluggable database open for read-only access")
        for pattern, run in (
            (_CREATE_USER, self._create_user),
            (_ALTER_USER, self._alter_user),
            (_DROP_USER, self._drop_user),
            (_CREATE_ROLE, self._create_role),
            (_PROFILE, self._profile),
            (_CREATE_TABLE, self._create_object),
            (_GRANT, self._grant),
        ):
            if found := pattern.match(text):
                run(who, found)
                return
        raise OraError(900, "invalid SQL statement")

    def _create_user(self, who: str, said: re.Match[str]) -> None:
        self._require(who, "CREATE USER")
        name = _name(said, "u")
        if name in self.users or name in self.roles:
            raise OraError(1920, f"user name '{name}' conflicts with another user or role name")
        if len(name.encode()) > (128 if self.version >= (12, 2) else 30):
            raise OraError(972, "identifier is too long")
        self._check(name, said["p"])
        self._add(name, said["p"])
        self._clauses(who, name, said["rest"])

    def _alter_user(self, who: str, said: re.Match[str]) -> None:
        name, rest = _name(said, "u"), said["rest"]
        admin = self.may(who, "ALTER USER")
        own = re.match(
            r"\s*IDENTIFIED|\s*EXPIRE PASSWORD" if self.own_expire else r"\s*IDENTIFIED", rest, re.I
        )
        if not admin and (name != who or not own):
            raise OraError(1031, "insufficient privileges")
        if name not in self.users:
            raise OraError(1918, f"user '{name}' does not exist")
        self._clauses(who, name, rest)

    def _clauses(self, who: str, name: str, rest: str) -> None:
        one, at = self.users[name], 0
        while rest[at:].strip():
            said = _CLAUSE.match(rest, at)
            if said is None:
                raise OraError(922, "missing or invalid option")
            at = said.end()
            if said["by"]:
                self._identified(who, name, said)
            one.expired = one.expired or bool(said["expire"])
            if said["end"]:
                one.old = None
            if said["lock"]:
                one.locked, one.failures = said["lock"].upper() == "LOCK", 0
            if said["default"]:
                self._default_roles(one, said["default"])
            if said["most"]:
                unlimited = said["most"].upper() == "UNLIMITED"
                one.quotas[said["on"].upper()] = -1 if unlimited else int(said["most"])
                one.quotas = {space: most for space, most in one.quotas.items() if most}
            self._places(one, said)

    def _places(self, one: Account, said: re.Match[str]) -> None:
        if said["profile"] and said["profile"].upper() not in self.profiles:
            raise OraError(2380, f"profile {said['profile'].upper()} does not exist")
        one.profile = (said["profile"] or one.profile).upper()
        one.space = (said["space"] or one.space).upper()
        one.temporary = (said["temp"] or one.temporary).upper()

    def _identified(self, who: str, name: str, said: re.Match[str]) -> None:
        old = said["old"]
        if not self.may(who, "ALTER USER"):
            if old is None and self.verify:
                raise OraError(28221, "REPLACE not specified")
            if old is not None and not self.knows(name, old):
                raise OraError(28008, "invalid old password")
        self.set_password(name, said["p"])

    def _default_roles(self, one: Account, said: str) -> None:
        named = set(re.findall(r'"([^"]+)"', said))
        if not named <= set(one.roles):
            raise OraError(1955, f"DEFAULT ROLE '{sorted(named)[0]}' not granted to user")
        one.default_roles = None if said.upper() == "ALL" else named

    def _drop_user(self, who: str, said: re.Match[str]) -> None:
        self._require(who, "DROP USER")
        name = _name(said, "u")
        if self.users.pop(name, None) is None:
            raise OraError(1918, f"user '{name}' does not exist")
        self.objects = {key: kind for key, kind in self.objects.items() if key[0] != name}

    def _create_role(self, who: str, said: re.Match[str]) -> None:
        self._require(who, "CREATE ROLE")
        self.roles[_name(said, "u")] = Account()

    def _profile(self, who: str, said: re.Match[str]) -> None:
        self._require(who, "CREATE PROFILE")
        profile = self.profiles.setdefault(_name(said, "u"), {})
        for limit, value in re.findall(r"(\w+) ([\d./]+|UNLIMITED|DEFAULT)", said["rest"], re.I):
            profile[limit.upper()] = str(_days(value)) if "/" in value else value.upper()

    def _create_object(self, who: str, said: re.Match[str]) -> None:
        owner, name = _object(said["o"], who)
        if said["kind"].upper() == "DIRECTORY":
            owner = "SYS"
        self.objects[owner, name] = said["kind"].upper()

    def _grant(self, who: str, said: re.Match[str]) -> None:
        grantee = self._grantee(_name(said, "u"))
        give, options = said["verb"].upper() == "GRANT", said["options"].upper()
        for each in re.findall(r"(?:[^,(]|\([^)]*\))+", said["what"]):
            if (said["kind"] or "").upper() == "SCHEMA":
                self._grant_on_schema(who, grantee, each.strip(), said, give=give)
                continue
            if said["o"]:
                self._grant_object(who, grantee, each.strip(), said, give=give, options=options)
                continue
            what = each.strip().strip('"')
            what = what if what in self.roles else what.upper()
            is_role = what in self.roles
            self._require_to_lend(who, what, is_role=is_role)
            held = grantee.roles if is_role else grantee.system
            if give:
                held[what] = "ADMIN" in options
            elif held.pop(what, None) is None:
                raise (
                    OraError(1951, f"ROLE '{what}' not granted")
                    if is_role
                    else OraError(1952, "system privileges not granted")
                )

    def _grant_on_schema(
        self, who: str, to: Account, what: str, said: re.Match[str], *, give: bool
    ) -> None:
        key = (what.upper(), _object(said["o"], who)[1])
        if self.version < (23,):
            raise OraError(905, "missing keyword")
        if key[1] not in self.users:
            raise OraError(1435, "user does not exist")
        lent = self._grantee(who).schemas.get(key)
        if who != key[1] and not lent and not self.may(who, "GRANT ANY PRIVILEGE"):
            raise OraError(1031, "insufficient privileges")
        if give:
            to.schemas[key] = "ADMIN" in said["options"].upper()
        elif to.schemas.pop(key, None) is None:
            raise OraError(1952, "schema privileges not granted")

    def _require_to_lend(self, who: str, what: str, *, is_role: bool) -> None:
        if " " not in what and not is_role:
            raise OraError(1919, f"role '{what}' does not exist")
        if self.may(who, "GRANT ANY ROLE" if is_role else "GRANT ANY PRIVILEGE"):
            return
        one = self._grantee(who)
        if not (one.roles if is_role else one.system).get(what):
            if is_role:
                raise OraError(1932, f"ADMIN option not granted for role '{what}'")
            raise OraError(1031, "insufficient privileges")

    def _grant_object(
        self, who: str, to: Account, what: str, said: re.Match[str], *, give: bool, options: str
    ) -> None:
        owner, name = _object(said["o"], who)
        if said["kind"]:
            owner, name = "SYS", _object(said["o"], who)[1]
        if (owner, name) not in self.objects and said["kind"] != "USER":
            raise OraError(942, "table or view does not exist")
        privilege, _, columns = what.partition("(")
        key = (privilege.strip().upper(), owner, name)
        anything = who == owner or self.may(who, "GRANT ANY OBJECT PRIVILEGE")
        mine = self._grantee(who).objects
        if not anything and not (key in mine and mine[key].grantable):
            seen = any(held[1:] == (owner, name) for held in mine)
            raise (
                OraError(1031, "insufficient privileges")
                if seen
                else OraError(942, "table or view does not exist")
            )
        given = Given("GRANT" in options, "HIERARCHY" in options, owner if anything else who)
        if not give:
            self._revoke(to, key, who, anything=anything)
        elif columns:
            for column in columns.rstrip(") ").split(","):
                exact = column.strip().startswith('"')
                name_of = column.strip().strip('"') if exact else column.strip().upper()
                to.columns[(*key, name_of)] = given
        else:
            to.objects[key] = given

    def _revoke(self, to: Account, key: tuple[str, str, str], who: str, *, anything: bool) -> None:
        held = [given for k, given in to.objects.items() if k == key]
        held += [given for k, given in to.columns.items() if k[:3] == key]
        if not held or not (anything or all(given.grantor == who for given in held)):
            raise OraError(1927, "cannot REVOKE privileges you did not grant")
        to.objects.pop(key, None)
        to.columns = {k: given for k, given in to.columns.items() if k[:3] != key}


def _name(said: re.Match[str], group: str) -> str:
    return str(said[f"{group}q"] or said[group].upper())


def _object(said: str, who: str) -> tuple[str, str]:
    parts = [part.strip('"') if '"' in part else part.upper() for part in said.split(".")]
    return (parts[0], parts[1]) if len(parts) > 1 else (who, parts[0])


def _days(value: str) -> float:
    if value.upper() in {"UNLIMITED", "DEFAULT"}:
        return 0.0
    dividend, _, divisor = value.partition("/")
    return float(dividend) / float(divisor or 1)
