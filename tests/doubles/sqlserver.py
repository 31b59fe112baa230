"""A double of SQL Server on the wire, for drivers of TDS 7.4, with TLS.

The `pysqlbridge` package does the protocol and answers SELECT over the catalog views that are built
here; it changes nothing, so what a rotation needs of DDL is in `sqlserver_statements`.

What a test against it proves: the driver's TLS and login behaviour; that the statements arrive as
meant (quoting above all); that what a rotation reads can be asked so; that errors are told apart by
number, and in which order things happen.

What it does NOT prove is what SQL Server means by a statement. Everything below is this file's
reading of Microsoft Learn, by the name of its page; no real server has confirmed it:

* "Login failed" (MSSQLSERVER_18456), 18486 locked, 18487 expired, 18488 must change, 18470
  disabled; 4060 comes with, and before, 18456 ("MSSQLSERVER_4060"). A server refuses a wrong
  password before it says that the account is disabled or expired; a locked one says so at once.
* "Password policy" and "ALTER LOGIN": 8 to 128 characters, three of four kinds, not the login's
  name inside (15116, 15118, 103); OLD_PASSWORD is checked whoever asks, a wrong one is 15151.
* "ALTER LOGIN": ALTER ANY LOGIN resets any login but a sysadmin's; a login changes its own
  password with OLD_PASSWORD, and nothing else of itself.
* "CREATE USER", "ALTER ROLE", "GRANT Database Permissions": db_owner may, nobody else does here.
* "Contained Database Users": in a contained database, a user with a password goes before a login
  of that name, and logs in nowhere else.
* "USE": 916 without a user there; everybody may enter master (guest).
* "GRANT", "DENY", "REVOKE": a GRANT replaces a DENY, and the other way round; a plain GRANT leaves
  WITH GRANT OPTION as it is; a REVOKE of a column under a table's GRANT leaves a row in state R; a
  table's REVOKE takes its columns' rows with it. Server permissions only in master (4621); none
  for what is one's own (4624).
* "sys.server_role_members": VIEW ANY DEFINITION shows roles that people made; who else may see
  which row is not played, everybody sees everything.
* "Manage trigger security": a DDL trigger of a database runs by the rights of whoever changes
  something there; "sys.trigger_events" has a row for each event of a group that it is on ("DDL
  Event Groups"). "Understanding Impersonation Scope", "REVERT": as dbo, by EXECUTE AS USER, that
  is nobody outside of the database, unless it is TRUSTWORTHY; db_owner may do so. Only the batch
  that the code under test writes is understood. What a failing trigger would undo stays done.
* "SET XACT_ABORT": a batch in a transaction happens as a whole; no other transactions are played.
* "sp_getapplock": one lock of a name in one database, held by the session until it ends.

Not there: what owners may, application roles, any other EXECUTE AS, password history, TDS 8.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from pysqlbridge.catalog import Catalog
from pysqlbridge.certificate import load, self_signed
from pysqlbridge.source import Table
from pysqlbridge.tds.connection import Connection, ConnectionState
from pysqlbridge.tds.prelogin import Encryption
from pysqlbridge.tds.result import Column, Integer, NVarChar, Query, QueryResult
from pysqlbridge.tds.token import DoneStatus, done, error

from tests.doubles.sqlserver_state import FIXED_SERVER, Database, Principal, failed, new_login
from tests.doubles.sqlserver_statements import OK, Statement, split, tokens
from tests.doubles.sqlserver_views import rows_of

if TYPE_CHECKING:
    from rotators.testing.certificates import KeyPair

_THREE_PARTS = re.compile(r"\[((?:[^\]]|\]\])*)\]\.sys\.")
_SECRET = re.compile(r"(PASSWORD = )N?'(?:[^']|'')*'", re.IGNORECASE)
_LITERAL = re.compile(r"(N?'(?:[^']|'')*')")
_PERMISSION = re.compile(r"HAS_PERMS_BY_NAME\(NULL, NULL, N'([^']*)'\)")
_AS_DBO = re.compile(
    r"DECLARE @back varbinary\(8000\); EXECUTE AS USER = 'dbo' WITH COOKIE INTO @back;\s+"
    r"IF @back IS NOT NULL BEGIN (.*); REVERT WITH COOKIE = @back END",
    re.DOTALL,
)
_WAIT = 0.01


class SqlServer(Catalog):  # type: ignore[misc]  # the package has no types
    """The server's state; answers batches."""

    server_permissions = frozenset(
        {
            "CONNECT SQL", "ALTER ANY LOGIN", "CONTROL SERVER", "VIEW SERVER STATE",
            "VIEW ANY DATABASE", "VIEW ANY DEFINITION", "IMPERSONATE ANY LOGIN", "SHUTDOWN",
            "ALTER ANY CREDENTIAL", "UNSAFE ASSEMBLY", "ADMINISTER BULK OPERATIONS",
            "ALTER ANY SERVER ROLE", "CONNECT ANY DATABASE", "AUTHENTICATE SERVER",
        }
    )  # fmt: skip

    def __init__(self, password: str) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.numbers = itertools.count(260)
        self.database_numbers = itertools.count(1)
        self.asked: list[str] = []  # every batch as it came
        self.log: list[str] = []  # what a trace would show: the server hides passwords in it
        self.logins = {"sa": new_login("sa", 1, password)}
        self.roles = {name: Principal(name, n, "R") for name, n in FIXED_SERVER.items()}
        self.roles["sysadmin"].members.add(1)
        self.databases: dict[str, Database] = {}
        self.owners: dict[tuple[int, int], int] = {}
        self.held: dict[tuple[str, str], object] = {}
        self.refused: list[str] = []
        self.lockout: int | None = None  # after so many refused logins
        self.refuse: tuple[re.Pattern[str], int, str] | None = None  # a test's own errors
        self.add_database("master")

    def add_database(self, name: str, **fields: Any) -> Database:
        made = Database(name, next(self.database_numbers), **fields)
        self.databases[name.lower()] = made
        return made

    def is_in(self, login: Principal, *roles: str) -> bool:
        # Users of a database have the same numbers.
        known = self.logins.get(login.name.lower()) is login
        return known and any(login.id in self.roles[role].members for role in roles)

    def may(self, who: Principal, permission: str, *roles: str) -> bool:
        """Whether it has a permission on the server, which public has of some."""
        if self.is_in(who, "sysadmin", *roles):
            return True
        state = who.permissions.get((100, 0, 0, permission))
        return state in ("G", "W") or (state is None and permission == "VIEW ANY DATABASE")

    def owns(self, who: Principal, database: Database) -> bool:
        if self.is_in(who, "sysadmin") or who is database.principals["dbo"]:
            return True
        user = database.user_of(who)
        return user is not None and user.id in database.principals["db_owner"].members

    def enters(self, who: Principal, database: Database) -> bool:
        if self.is_in(who, "sysadmin") or database.name == "master":
            return True
        return not database.closed and database.user_of(who) is not None

    # ── logins ──

    def log_in(
        self, name: str, password: str, database: str
    ) -> tuple[Principal | None, list[tuple[int, int, str]]]:
        """The principal, or the errors that the server sends."""
        with self.lock:
            db = self.databases.get((database or "master").lower())
            who = None
            if db and db.containment:
                who = db.principals.get(name.lower())
                who = who if who and who.password is not None else None
            if who is not None and who.password == password:
                return who, []
            login = who or self.logins.get(name.lower())
            return self._checked(login, name, password, db, database)

    def _checked(
        self, who: Principal | None, name: str, password: str, db: Database | None, asked: str
    ) -> tuple[Principal | None, list[tuple[int, int, str]]]:
        if who is not None and who.barred == 18486:
            return None, [(18486, 14, f"Login failed for user '{name}': it is locked out.")]
        if who is None or who.password != password:
            self.refused.append(name)
            if who and self.lockout and self.refused.count(name) >= self.lockout:
                who.barred = 18486
            return None, [(18456, 14, f"Login failed for user '{name}'.")]
        if who.barred is not None:
            return None, [(who.barred, 14, f"Login failed for user '{name}': {who.barred}.")]
        if db is None or not self.enters(who, db):
            text = f'Cannot open database "{asked}" requested by the login. The login failed.'
            return None, [(4060, 11, text), (18456, 14, f"Login failed for user '{name}'.")]
        return who, []

    # ── batches ──

    def answer(self, request: Any, **kw: Any) -> QueryResult:
        if kw.get("select") is not None or kw.get("depth"):
            return super().answer(request, **kw)
        query = Query(sql=request) if isinstance(request, str) else request
        session = query.session
        with self.lock:
            self.asked.append(query.sql)
            self.log.append(_SECRET.sub(r"\1'******'", query.sql))
            if self.refuse and self.refuse[0].search(query.sql):
                raise failed(*self.refuse[1:])
        if "sp_getapplock" in query.sql:
            return self._locked(query.sql, session)
        with self.lock:
            return self._answer(query, session)

    def _answer(self, query: Query, session: dict[str, Any]) -> QueryResult:
        words = [word.upper() for word in tokens(query.sql)[:1]]
        if words == ["USE"]:
            self._use(session, tokens(query.sql)[1])
            return OK
        if words == ["SET"] and "TRANSACTION" in query.sql:
            return self._together(query, session)
        if words == ["SET"]:
            return OK
        if as_dbo := _AS_DBO.fullmatch(query.sql):
            self._as_dbo(as_dbo[1], session)
            return OK
        answered = Statement(self, session, query.sql).run()
        if answered is not None:
            return answered
        self.asker = session
        self.read_from = session["at"]
        sql = _PERMISSION.sub(lambda m: str(int(self.may(session["principal"], m[1]))), query.sql)
        sql = "".join(self._here(part, session) for part in _LITERAL.split(sql))
        return super().answer(Query(sql=sql, session=session))

    def _together(self, query: Query, session: dict[str, Any]) -> QueryResult:
        """A batch with a transaction: what it made is gone if one of its statements fails."""
        logins = dict(self.logins)
        try:
            before, *inner = _AS_DBO.split(query.sql)
            for one in split(before):
                if one.split()[0].upper() not in {"SET", "BEGIN", "COMMIT"}:
                    self._answer(Query(sql=one, session=session), session)
            if inner:
                self._as_dbo(inner[0], session)
        except Exception:
            self.logins = logins
            raise
        return OK

    def _as_dbo(self, sql: str, session: dict[str, Any]) -> None:
        me, db = session["principal"], session["at"]
        if not self.owns(me, db):
            raise failed(15517, 'Cannot execute as the database principal because "dbo" does not.')
        # A TRUSTWORTHY database's owner, which is sa here, is itself everywhere.
        session["principal"] = self.logins["sa"] if db.trustworthy else db.principals["dbo"]
        try:
            assert Statement(self, session, sql).run() is OK, sql
        finally:
            session["principal"] = me

    def _here(self, part: str, session: dict[str, Any]) -> str:
        """A part of a SELECT, with what is the session's put in."""
        if part.startswith(("'", "N'")):
            return part
        named = _THREE_PARTS.findall(part)
        if named:
            assert len(set(named)) == 1, "one database in a statement"
            self.read_from = self._database(named[0].replace("]]", "]"), session)
        me: Principal = session["principal"]
        user = self._user(me, session["at"])
        own = {
            "ORIGINAL_LOGIN()": _text(me.name),
            "USER_NAME()": _text(user.name if user else "guest"),
            "DATABASE_PRINCIPAL_ID()": str(user.id if user else 2),
            "SUSER_ID()": str(me.id) if me.name.lower() in self.logins else "NULL",
            "SUSER_SID()": _text(me.sid),
            "HAS_DBACCESS(d.name)": "d.accessible",
        }
        part = _THREE_PARTS.sub("sys.", part)
        for function, value in own.items():
            part = part.replace(function, value)
        return part

    def _user(self, me: Principal, db: Database) -> Principal | None:
        if me in db.principals.values():
            return me
        if self.is_in(me, "sysadmin"):
            return db.principals["dbo"]
        return db.user_of(me)

    def _database(self, name: str, session: dict[str, Any]) -> Database:
        me = session["principal"]
        db = self.databases.get(name.lower())
        if db is None:
            raise failed(911, f"Database '{name}' does not exist.")
        if not self.enters(me, db) and me not in db.principals.values():
            text = f'The server principal "{me.name}" is not able to access the database "{name}"'
            raise failed(916, f"{text} under the current security context.")
        return db

    def _use(self, session: dict[str, Any], name: str) -> None:
        me = session["principal"]
        db = self._database(name, session)
        if me.name.lower() not in self.logins and me not in db.principals.values():
            raise failed(916, f'The server principal "{me.name}" is not able to access "{name}".')
        session["at"] = db

    def _locked(self, sql: str, session: dict[str, Any]) -> QueryResult:
        resource, timeout = re.findall(r"N'(rotators:[^']*)'|@LockTimeout = (\d+)", sql)[:2]
        key, end = (session["at"].name, resource[0]), time.monotonic() + int(timeout[1]) / 1000
        while True:
            with self.lock:
                if self.held.setdefault(key, session["owner"]) is session["owner"]:
                    return _number(0)
            if time.monotonic() > end:
                return _number(-1)
            time.sleep(_WAIT)

    def end(self, owner: object) -> None:
        with self.lock:
            self.held = {key: value for key, value in self.held.items() if value is not owner}

    def get(self, name: str, schema: str | None = None, parameters: Any = None) -> Any:
        if (schema or "").lower() == "sys":
            found = rows_of(self, self.read_from, self.asker, name.lower())
            if found is not None:
                columns, rows = found
                typed = [Column(c.lstrip("#"), _type(c)) for c in columns.split()]
                return Table(name, typed, rows)
        return super().get(name, schema, parameters)

    def places(
        self, db: Database, number: int, names: list[str], columns: list[str]
    ) -> list[tuple[int, int, int]]:
        """Class, major and minor number of a securable, once for each column."""
        if number == 1:
            major, known = db.objects[names[0], names[1]]
            minors = [known.index(column) + 1 for column in columns] or [0]
            return [(1, major, minor) for minor in minors]
        if number == 3:
            return [(3, db.schemas[names[0]], 0)]
        if number == 6:
            return [(6, db.types[names[0], names[1]], 0)]
        among = {4: db.principals, 101: {**self.logins, **self.roles}}.get(number)
        if among is not None:
            return [(number, among[names[0].lower()].id, 0)]
        return [(number, db.things[number][names[-1]], 0)]


def _type(column: str) -> Any:
    return Integer(4) if column.startswith("#") else NVarChar(256)


def _text(value: str) -> str:
    return "N'" + value.replace("'", "''") + "'"


def _number(value: int) -> QueryResult:
    return QueryResult(columns=[Column("got", Integer(4))], rows=[[value]])


class _Connection(Connection):  # type: ignore[misc]  # as above
    """Logs in by the model, whose errors have their own numbers."""

    def __init__(self, model: SqlServer, *args: Any, **kw: Any) -> None:
        super().__init__(*args, query_handler=model.answer, **kw)
        self.model = model
        self.owner = object()

    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = super()._about()
        about.setdefault("principal", self.principal)
        about.setdefault("owner", self.owner)
        database = (self._login.database or "master").lower()
        about.setdefault("at", self.model.databases[database])
        return about

    def _answer_sql_login(self, responses: list[bytes]) -> bool:
        from pysqlbridge.tds.login import deobfuscate_password

        login = self._login
        password = deobfuscate_password(login.password)
        who, errors = self.model.log_in(login.user_name, password, login.database)
        if who is not None:
            self.principal = who
            self._finish_login(responses)
            return True
        said = (
            error(number, text, server="double", severity=severity, tds_version=self._tds_version)
            for number, severity, text in errors
        )
        end = done(status=DoneStatus.ERROR, tds_version=self._tds_version)
        self._send(responses, b"".join(said) + end)
        self._state = ConnectionState.FAILED
        return True


class Listener:
    """Serves the model on a port of 127.0.0.1 while it is entered."""

    def __init__(
        self, model: SqlServer, pair: KeyPair | None = None, *, encryption: Encryption | None = None
    ) -> None:
        self.model = model
        self.certificate = load(pair.certificate, pair.key) if pair else self_signed()
        self.encryption = encryption or Encryption.OFF
        self.silent = False
        self._lines: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for line in list(self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        self._lines.add(line)
        connection = _Connection(
            self.model, self.certificate, database="master", encryption=self.encryption
        )
        try:
            with line, suppress(Exception):
                for data in _chunks(line):
                    while self.silent:
                        time.sleep(_WAIT)
                    for answer in connection.receive(data):
                        line.sendall(answer)
                    if connection.state is ConnectionState.FAILED:
                        return
        finally:
            self.model.end(connection.owner)
            self._lines.discard(line)


def _chunks(line: socket.socket) -> Iterator[bytes]:
    while data := line.recv(65536):
        yield data
