"""The statements about principals that the double of SQL Server understands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pysqlbridge.tds.result import QueryError, QueryResult

from tests.doubles.sqlserver_state import (
    Database,
    Principal,
    Trigger,
    failed,
    missing,
    new_login,
    require_policy,
)

if TYPE_CHECKING:
    from tests.doubles.sqlserver import SqlServer

_TOKEN = re.compile(
    r"""\s+|(?P<b>\[(?:[^\]]|\]\])*\])|(?P<s>N?'(?:[^']|'')*')|(?P<w>[A-Za-z_@#][\w@#$]*)"""
    r"""|(?P<n>\d+)|(?P<p>::|.)""",
    re.DOTALL,
)
_CLASSES = {
    "OBJECT": 1, "SCHEMA": 3, "USER": 4, "ROLE": 4, "APPLICATION ROLE": 4, "ASSEMBLY": 5,
    "TYPE": 6, "XML SCHEMA COLLECTION": 10, "MESSAGE TYPE": 15, "CONTRACT": 16, "SERVICE": 17,
    "REMOTE SERVICE BINDING": 18, "ROUTE": 19, "FULLTEXT CATALOG": 23, "SYMMETRIC KEY": 24,
    "CERTIFICATE": 25, "ASYMMETRIC KEY": 26, "FULLTEXT STOPLIST": 29,
    "SEARCH PROPERTY LIST": 31, "DATABASE SCOPED CREDENTIAL": 32, "LOGIN": 101, "SERVER ROLE": 101,
}  # fmt: skip
_ON_OFF = frozenset({"ON", "OFF"})
_IN_DATABASE = frozenset({"CREATE USER", "ALTER USER", "DROP USER", "CREATE ROLE", "ALTER ROLE"})
# Of the events on which a trigger may be, those that statements below raise.
_GROUPS = {
    "DDL_DATABASE_SECURITY_EVENTS": (
        "CREATE_USER", "ALTER_USER", "DROP_USER", "CREATE_ROLE", "ALTER_ROLE", "ADD_ROLE_MEMBER",
        "DROP_ROLE_MEMBER", "GRANT_DATABASE", "DENY_DATABASE", "REVOKE_DATABASE",
    )
}  # fmt: skip
# The options of each statement, but for those that nobody here writes.
_OPTIONS = {
    "CREATE LOGIN": {"PASSWORD", "SID", "DEFAULT_DATABASE", "DEFAULT_LANGUAGE", "CHECK_EXPIRATION",
                     "CHECK_POLICY"},
    "ALTER LOGIN": {"PASSWORD", "OLD_PASSWORD", "DEFAULT_DATABASE", "DEFAULT_LANGUAGE",
                    "CHECK_EXPIRATION", "CHECK_POLICY", "NAME"},
    "CREATE USER": {"PASSWORD", "DEFAULT_SCHEMA", "DEFAULT_LANGUAGE", "SID"},
    "ALTER USER": {"PASSWORD", "OLD_PASSWORD", "DEFAULT_SCHEMA", "DEFAULT_LANGUAGE", "NAME",
                   "LOGIN"},
}  # fmt: skip
OK = QueryResult(columns=[], rows=[])


class Literal(str):
    """A string literal's value."""

    __slots__ = ()


class Quoted(str):
    """A quoted identifier's name."""

    __slots__ = ()


def tokens(sql: str) -> list[str]:
    """Words in capitals, names and literals by their values."""
    found: list[str] = []
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup, match.group()
        if kind == "b":
            found.append(Quoted(text[1:-1].replace("]]", "]")))
        elif kind == "s":
            found.append(Literal(text[text.index("'") + 1 : -1].replace("''", "'")))
        elif kind:
            found.append(text)
    while found and found[-1] == ";":
        found.pop()
    return found


def split(batch: str) -> list[str]:
    """The statements of a batch, which semicolons part."""
    texts, ends = [""], 0
    for match in _TOKEN.finditer(batch):
        if match.group() == ";":
            texts.append("")
        else:
            texts[-1] += match.group()
        ends = match.end()
    assert ends == len(batch)
    return [text for text in texts if text.strip()]


def syntax(near: str) -> QueryError:
    """As the server, it repeats what it did not understand."""
    return QueryError(f"Incorrect syntax near '{near}'.", number=102, severity=15)


class Statement:
    """One statement about principals, by one session."""

    def __init__(self, server: SqlServer, session: dict[str, Any], sql: str) -> None:
        self.server = server
        self.session = session
        self.me: Principal = session["principal"]
        self.db: Database = session["at"]
        self.parts = tokens(sql)
        self.words = [
            "" if isinstance(part, (Literal, Quoted)) else part.upper() for part in self.parts
        ]
        self.sql = sql

    def run(self) -> QueryResult | None:
        """None if it is no such statement."""
        self.first = " ".join(self.words[:2])
        if self.words[0] in {"GRANT", "DENY", "REVOKE"}:
            self._permission()
            return OK
        method = getattr(self, "_" + self.first.lower().replace(" ", "_"), None)
        if method is None:
            return None
        if ";" in self.parts:
            raise syntax(self.parts[self.parts.index(";") + 1])
        if self.first in _IN_DATABASE:
            self._require_writable()
        method(self.parts[2])
        if self.first in _IN_DATABASE:
            # ALTER ROLE … ADD MEMBER …
            words = [self.words[3], "ROLE", "MEMBER"] if "MEMBER" in self.words else self.words[:2]
            self._fire("_".join(words))
        return OK

    def _require_writable(self) -> None:
        if self.db.read_only:
            text = f"Failed to update database '{self.db.name}' because the database is read-only."
            raise failed(3906, text)

    def _fire(self, event: str) -> None:
        """The database's triggers on it, by the rights that the session has now."""
        for one in self.db.triggers.values():
            if one.enabled and event in one.events:
                Statement(self.server, self.session, one.body).run()

    # ── who may ──

    def _admin(self) -> bool:
        return self.server.may(self.me, "ALTER ANY LOGIN", "securityadmin")

    def _owner(self) -> bool:
        return self.server.owns(self.me, self.db)

    def _options(self, start: int) -> dict[str, str]:
        """What WITH says from there on, to the end."""
        found: dict[str, str] = {}
        if start < len(self.parts) and self.words[start] != "WITH":
            raise syntax(self.parts[start])
        at = start + 1
        while at < len(self.parts):
            name, value = self._option(at)
            found[name] = value
            at += 3
            if name == "PASSWORD" and self.words[at : at + 1] == ["UNLOCK"]:
                at += 1
            if self.words[at : at + 1] == [","]:
                at += 1
                if at == len(self.parts):
                    raise syntax(",")
            elif at < len(self.parts) and (name, self.words[at]) != ("PASSWORD", "OLD_PASSWORD"):
                raise syntax(self.parts[at])
        return found

    def _option(self, at: int) -> tuple[str, str]:
        name, value = self.words[at], self.parts[at + 2 : at + 3]
        if name not in _OPTIONS[self.first] or self.words[at + 1 : at + 2] != ["="] or not value:
            raise syntax(self.parts[at])
        said, word = value[0], self.words[at + 2]
        if name.endswith("PASSWORD"):
            fits = isinstance(said, Literal)
        elif name.startswith("CHECK_"):
            fits = word in _ON_OFF
        else:
            fits = isinstance(said, Quoted) or word.isidentifier()
        if not fits:
            raise syntax(said)
        if name == "DEFAULT_DATABASE" and said.lower() not in self.server.databases:
            raise failed(15010, f"The database '{said}' does not exist.")
        if name == "DEFAULT_LANGUAGE" and "USER" in self.first and not self.db.containment:
            raise failed(33128, "DEFAULT_LANGUAGE may only be set within a contained database.")
        return name, said

    # ── logins ──

    def _create_login(self, name: str) -> None:
        if not self._admin():
            raise failed(15247, "User does not have permission to perform this action.")
        if name.lower() in self.server.logins:
            raise failed(15025, f"The server principal '{name}' already exists.")
        given = self._options(3)
        if "PASSWORD" not in given:
            raise syntax(name)
        if given.get("CHECK_POLICY", "ON") == "ON":
            require_policy(name, given["PASSWORD"])
        login = new_login(name, next(self.server.numbers), str(given["PASSWORD"]))
        self.server.logins[name.lower()] = login
        self._set_options(login, given)

    def _alter_login(self, name: str) -> None:
        login = self.server.logins.get(name.lower())
        enabled = len(self.parts) == 4 and self.words[3] in {"ENABLE", "DISABLE"}
        given = {} if enabled else self._options(3)
        powerful = login is not None and self.server.is_in(login, "sysadmin")
        may = self._admin() and (not powerful or self.server.is_in(self.me, "sysadmin"))
        own = login is self.me and given.keys() == {"PASSWORD", "OLD_PASSWORD"}
        if login is None or not (may or own):
            raise missing("alter the login", name)
        if "OLD_PASSWORD" in given and given["OLD_PASSWORD"] != login.password:
            raise missing("alter the login", name)
        if enabled:
            login.barred = None if self.words[3] == "ENABLE" else 18470
        if "PASSWORD" in given:
            if given.get("CHECK_POLICY", login.options.get("CHECK_POLICY", "ON")) == "ON":
                require_policy(name, given["PASSWORD"])
            login.password = str(given["PASSWORD"])
            if "UNLOCK" in self.words:
                login.barred = None
        self._set_options(login, given)

    def _set_options(self, principal: Principal, given: dict[str, str]) -> None:
        kept = {k: str(v) for k, v in given.items() if "PASSWORD" not in k}
        principal.options.update(kept)

    def _drop_login(self, name: str) -> None:
        if name.lower() not in self.server.logins or not self._admin():
            raise missing("drop the login", name)
        del self.server.logins[name.lower()]

    # ── users and roles ──

    def _create_user(self, name: str) -> None:
        if not self._owner():
            raise failed(15247, "User does not have permission to perform this action.")
        named, start = name, 3
        if self.words[3:4] in (["FOR"], ["FROM"]):
            if self.words[4:5] != ["LOGIN"]:
                raise syntax(self.parts[3])
            named, start = self.parts[5], 6
        given = self._options(start)
        if "PASSWORD" in given:
            if not self.db.containment:
                raise failed(33233, "Users with a password exist in contained databases only.")
            require_policy(name, given["PASSWORD"])
            user = self.db.add(name, password=str(given["PASSWORD"]), sid=f"c{name}")
        else:
            login = self.server.logins.get(named.lower())
            if login is None:
                raise failed(15007, f"'{named}' is not a valid login or you may not see it.")
            user = self.db.add(name, sid=login.sid)
        self._set_options(user, given)

    def _alter_user(self, name: str) -> None:
        user = self.db.principals.get(name.lower())
        given = self._options(3)
        own = user is self.me and "OLD_PASSWORD" in given
        wrong = (
            user is not None and "OLD_PASSWORD" in given and given["OLD_PASSWORD"] != user.password
        )
        if user is None or wrong or not (own or self._owner()):
            raise missing("alter the user", name)
        if "PASSWORD" in given:
            require_policy(name, given["PASSWORD"])
            user.password = str(given["PASSWORD"])
        self._set_options(user, given)

    def _drop_user(self, name: str) -> None:
        if self.db.principals.pop(name.lower(), None) is None or not self._owner():
            raise missing("drop the user", name)

    def _create_role(self, name: str) -> None:
        if not self._owner():
            raise missing("create the role", name)
        self.db.add(name, kind="R")

    def _alter_role(self, name: str) -> None:
        if not self._owner():
            raise missing("alter the role", name)
        self._membership(self.db.principals, name)

    def _create_server(self, _: str) -> None:
        name = self.parts[3]
        made = Principal(name, next(self.server.numbers), "R")
        self.server.roles[name.lower()] = made

    def _alter_server(self, _: str) -> None:
        name = self.parts[3]
        role = self.server.roles.get(name.lower())
        if not self.server.is_in(self.me, "sysadmin") and not (role and self.me.id in role.members):
            raise missing("alter the server role", name)
        self._membership({**self.server.logins, **self.server.roles}, name)

    def _membership(self, among: dict[str, Principal], name: str) -> None:
        role, member = among.get(name.lower()), among.get(self.parts[-1].lower())
        if role is None or role.kind != "R":
            raise missing("alter the role", name)
        if member is None:
            raise missing("add or remove the principal", self.parts[-1])
        change = role.members.add if "ADD" in self.words else role.members.discard
        change(member.id)

    # ── things to have rights on ──

    def _alter_authorization(self, _: str) -> None:
        """Of anything to anybody, as a test's sysadmin."""
        where = self.words.index("TO")
        ((number, major, _minor),) = self._places(2, where)
        server = number >= 100
        among = self.server.logins if server else self.db.principals
        owners = self.server.owners if server else self.db.owners
        owners[number, major] = among[self.parts[where + 1].lower()].id

    def _create_trigger(self, name: str) -> None:
        body = re.split(r"\sAS\s", self.sql, maxsplit=1)[1]
        said = self.words[self.words.index("FOR") + 1 : self.words.index("AS")]
        events = [event for one in said if one != "," for event in _GROUPS.get(one, (one,))]
        self.db.triggers[name] = Trigger(body, tuple(events))

    def _disable_trigger(self, name: str) -> None:
        self.db.triggers[name].enabled = False

    def _create_schema(self, name: str) -> None:
        self.db.schemas[name] = next(self.db.numbers)

    def _create_table(self, _: str) -> None:
        names, at = self._dotted(2)
        columns = [
            part
            for before, part in zip(self.parts[at:], self.parts[at + 1 :], strict=False)
            if before in ("(", ",")
        ]
        self.db.objects[names[0], names[1]] = (next(self.server.numbers) + 10_000, columns)

    def _create_database(self, name: str) -> None:
        partial = self.words[3:] == ["CONTAINMENT", "=", "PARTIAL"]
        self.server.add_database(name, containment=int(partial))

    def _alter_database(self, name: str) -> None:
        found, said = self.server.databases[name.lower()], self.words[4:]
        if said[0] in {"READ_ONLY", "READ_WRITE"}:
            found.read_only = said[0] == "READ_ONLY"
        elif said[0] == "TRUSTWORTHY":
            found.trustworthy = said[1] == "ON"
        elif said == ["CONTAINMENT", "=", "PARTIAL"]:
            found.containment = 1
        else:
            raise syntax(self.parts[4])

    def _drop_database(self, name: str) -> None:
        self.server.databases.pop(name.lower(), None)

    def _dotted(self, at: int) -> tuple[list[str], int]:
        names = [str(self.parts[at])]
        while self.parts[at + 1 : at + 2] == ["."]:
            at += 2
            names.append(str(self.parts[at]))
        return names, at + 1

    # ── permissions ──

    def _permission(self) -> None:
        verb, start = self.words[0], 1
        if self.words[1:4] == ["GRANT", "OPTION", "FOR"]:
            verb, start = "REVOKE OPTION", 4
        where = next(i for i, word in enumerate(self.words) if word in {"TO", "FROM"} and i > start)
        on = self.words.index("ON", start) if "ON" in self.words[start:where] else where
        permissions = " ".join(self.words[start:on]).split(" , ")
        places = self._places(on, where)
        grantee = self._grantee(self.parts[where + 1], permissions, places)
        in_database = places[0][0] < 100
        if in_database:
            self._require_writable()
        if verb == "GRANT" and self.words[-2:] == ["GRANT", "OPTION"]:
            verb = "GRANT WITH OPTION"
        for permission in permissions:
            for place in places:
                self._write(verb, grantee.permissions, (*place, permission))
        if in_database:
            self._fire(f"{self.words[0]}_DATABASE")

    def _grantee(self, name: str, permissions: list[str], places: list[Any]) -> Principal:
        server = places[0][0] >= 100
        among = {**self.server.logins, **self.server.roles} if server else self.db.principals
        found = among.get(name.lower())
        may = self.server.is_in(self.me, "sysadmin") if server else self._owner()
        lent = [self.me.permissions.get((*place, p)) for place in places for p in permissions]
        if found is None:
            raise missing("find the user", name)
        if server and self.db.name != "master":
            raise failed(4621, "Permissions at the server scope can only be granted in master.")
        owners = self.server.owners if server else self.db.owners
        if found.id in {owners.get(place[:2]) for place in places}:
            raise failed(4624, "Cannot grant, deny, or revoke permissions to the entity owner.")
        if not may and set(lent) != {"W"}:
            raise failed(4613, "Grantor does not have GRANT permission.")
        return found

    def _places(self, on: int, where: int) -> list[tuple[int, int, int]]:
        if on == where:
            server = " ".join(self.words[1:on]).replace("GRANT OPTION FOR ", "")
            return [(100 if server.split(" , ")[0] in self.server.server_permissions else 0, 0, 0)]
        at = on + 1
        kind = "OBJECT"
        if "::" in self.parts[at:where]:
            colon = self.parts.index("::", at)
            kind, at = " ".join(self.words[at:colon]), colon + 1
        number = _CLASSES[kind]
        names, at = self._dotted(at)
        columns = [str(p) for p in self.parts[at:where] if isinstance(p, Quoted) or p.isalnum()]
        return self.server.places(self.db, number, names, columns)

    def _write(self, verb: str, there: Any, key: tuple[int, int, int, str]) -> None:
        where, major, minor, permission = key
        states = {"GRANT": "G", "GRANT WITH OPTION": "W", "DENY": "D"}
        if verb == "REVOKE OPTION":
            there[key] = "G"
        elif verb in states:
            there[key] = "W" if states[verb] == "G" and there.get(key) == "W" else states[verb]
        elif minor and (where, major, 0, permission) in there:
            there[key] = "R"
        else:
            there.pop(key, None)
            for other in [k for k in there if k[:2] == key[:2] and k[3] == permission]:
                if not minor:
                    del there[other]
