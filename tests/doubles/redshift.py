"""A Redshift front for a real PostgreSQL: what redshift_connector needs and PostgreSQL has not.

Behind it: PostgreSQL with password_encryption=md5 and ``host all all 127.0.0.1/32 md5``; ``SCHEMA``
has been run there. Privileges, transactions, conflicts and catalogs are PostgreSQL's own.

Assumptions, each with its source; none was compared with a Redshift:

* logins by md5 (5) and by sha256 (AUTH_REQ_DIGEST, 13), and how the answers are made:
  redshift_connector 2.2.0, core.py. Wrong password: 28000, "password authentication failed for
  user": aws/amazon-redshift-python-driver, issue 237;
* ``PASSWORD 'md5…'``, ``'sha256|digest|salt'``, ``'sha256|cleartext'``, DISABLE, [NO]CREATEUSER,
  SYSLOG ACCESS, SESSION TIMEOUT, CONNECTION LIMIT UNLIMITED: Database Developer Guide,
  r_CREATE_USER, r_ALTER_USER. A password in clear becomes md5's: r_CREATE_USER;
* GRANT ROLE, REVOKE ROLE: r_GRANT. Here a role of RBAC is one whose name begins with ``role_`` or
  ``sys:``, and every other NOLOGIN role is a group;
* permissions that PostgreSQL has not: ``redshift_permissions``;
* SVV_… and PG_PROC_INFO have the columns of their pages; who is no superuser sees itself;
* abstime has an output function, as in PostgreSQL 8.0; PG_DEFAULT_ACL has ``defacluser``;
* access lists show a group as ``group name``: PostgreSQL 8.0, aclitemout. Not here, where it is a
  role like any other.

Not here: the password rules, data shares, external schemas other than by name, IAM, the binary
protocol; what PostgreSQL takes beyond Redshift's SQL passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Self

from tests.doubles import redshift_permissions

if TYPE_CHECKING:
    from rotators.testing.certificates import KeyPair

SCHEMA = """
SET allow_system_table_mods = on;
CREATE SCHEMA redshift_double;
GRANT USAGE ON SCHEMA redshift_double TO PUBLIC;
CREATE TABLE redshift_double.user_info (name text PRIMARY KEY, syslog text, seconds int);
CREATE TABLE redshift_double.system_privilege (role text, privilege text);
CREATE TABLE redshift_double.external_schema (name text);
CREATE FUNCTION redshift_double.sees_all() RETURNS bool LANGUAGE sql STABLE AS
  'SELECT rolsuper FROM pg_roles WHERE rolname = current_user';
CREATE FUNCTION redshift_double.is_role(name) RETURNS bool LANGUAGE sql IMMUTABLE AS
  'SELECT $1 ~ ''^(role_|sys:)''';
CREATE OR REPLACE VIEW pg_catalog.pg_group AS
  SELECT rolname AS groname, oid AS grosysid,
         ARRAY(SELECT member FROM pg_auth_members WHERE roleid = r.oid) AS grolist
  FROM pg_authid r WHERE NOT rolcanlogin AND NOT redshift_double.is_role(rolname);
CREATE VIEW pg_catalog.svv_user_grants AS
  SELECT m.member AS user_id, u.rolname::text AS user_name, m.roleid AS role_id,
         r.rolname::text AS role_name, bool_or(m.admin_option) AS admin_option
  FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member JOIN pg_roles r ON r.oid = m.roleid
  WHERE redshift_double.is_role(r.rolname) AND u.rolcanlogin
    AND (u.rolname = current_user OR redshift_double.sees_all()) GROUP BY 1, 2, 3, 4;
CREATE VIEW pg_catalog.svv_role_grants AS
  SELECT m.member AS role_id, u.rolname::text AS role_name, m.roleid AS granted_role_id,
         r.rolname::text AS granted_role_name
  FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member JOIN pg_roles r ON r.oid = m.roleid
  WHERE redshift_double.is_role(r.rolname) AND NOT u.rolcanlogin AND redshift_double.sees_all();
CREATE VIEW pg_catalog.svv_external_schemas AS
  SELECT name AS schemaname FROM redshift_double.external_schema;
CREATE VIEW pg_catalog.svv_column_privileges AS
  SELECT n.nspname::text AS namespace_name, c.relname::text AS relation_name,
         a.attname::text AS column_name, x.privilege_type, u.oid AS identity_id,
         u.rolname::text AS identity_name, 'user'::text AS identity_type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(a.attacl) x
  JOIN pg_roles u ON u.oid = x.grantee
  WHERE u.rolcanlogin AND (u.rolname = current_user OR redshift_double.sees_all());
CREATE VIEW pg_catalog.svv_user_info AS
  SELECT r.rolname::text AS user_name,
         CASE rolconnlimit WHEN -1 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS connection_limit,
         coalesce(i.syslog, 'RESTRICTED') AS syslog_access,
         coalesce(i.seconds, 0) AS session_timeout
  FROM pg_roles r LEFT JOIN redshift_double.user_info i ON i.name = r.rolname
  WHERE rolcanlogin AND (rolname = current_user OR redshift_double.sees_all());
CREATE VIEW pg_catalog.pg_proc_info AS SELECT oid AS prooid, prokind FROM pg_proc;
GRANT SELECT ON pg_catalog.pg_group, pg_catalog.svv_user_grants, pg_catalog.svv_role_grants,
  pg_catalog.svv_external_schemas, pg_catalog.svv_column_privileges, pg_catalog.svv_user_info,
  pg_catalog.pg_proc_info TO PUBLIC;
"""
SCHEMA += redshift_permissions.SCHEMA + redshift_permissions.LETTERS
SCHEMA += "GRANT SELECT ON ALL TABLES IN SCHEMA redshift_double TO PUBLIC;"

_KNOWN = {b"user", b"database", b"application_name", b"client_encoding", b"options"}
_SSL_REQUEST, _MD5, _DIGEST = 80877103, 5, 13
_INFO = (
    rb"INSERT INTO redshift_double.user_info (name, %s) VALUES ('\1', %s)"
    rb" ON CONFLICT (name) DO UPDATE SET %s = EXCLUDED.%s"
)
_WHO = rb'(?is)^\s*ALTER\s+USER\s+"?([^"\s]+)"?\s+'
# Whole statements: Redshift's words, PostgreSQL's.
_STATEMENTS = [
    (_WHO + rb"SYSLOG ACCESS (\w+)$", _INFO % (b"syslog", rb"'\2'", b"syslog", b"syslog")),
    (_WHO + rb"SESSION TIMEOUT (\d+)$", _INFO % (b"seconds", rb"\2", b"seconds", b"seconds")),
    (_WHO + rb"RESET SESSION TIMEOUT$", _INFO % (b"seconds", b"0", b"seconds", b"seconds")),
    (rb"(?i)^GRANT ROLE ", b"GRANT "),
    (rb"(?i)^REVOKE ROLE ", b"REVOKE "),
    (rb"(?i)^SET enable_case_sensitive_identifier ", b"SET redshift.case_sensitive "),
]
# Words outside of quotes.
_WORDS = [
    (rb"(?i)\bPASSWORD\s+DISABLE\b", b"PASSWORD NULL"),
    (rb"(?i)\bNOCREATEUSER\b", b"NOSUPERUSER"),
    (rb"(?i)\bCREATEUSER\b", b"SUPERUSER"),
    (rb"(?i)\bLIMIT UNLIMITED\b", b"LIMIT -1"),
    (rb"\bdefacluser\b", b"defaclrole"),
    (rb"\babstimeout\b", b"timestamptz_out"),
    *redshift_permissions.WORDS,
]
_QUOTED = re.compile(rb"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_PASSWORD = re.compile(
    rb"""(?is)^(\s*(?:ALTER|CREATE)\s+USER\s+)("(?:[^"]|"")+"|[\w$]+)(.*?\bPASSWORD\s+)'((?:[^']|'')*)'"""
)
# What is to become of users' digests when a transaction ends.
_Pending = list[tuple[bytes, tuple[bytes, bytes] | None]]


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


async def _receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack(">I", head[1:])[0] - 4)


class RedshiftDouble:
    """Listens on 127.0.0.1, ``port``, in a thread of its own."""

    def __init__(self, behind: int, tls: KeyPair | None) -> None:
        self.behind = behind
        # What clients said: (user, statement); whom the front refused; how often somebody came.
        self.statements: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.digests: dict[bytes, tuple[bytes, bytes]] = {}
        # What the server is to ask everybody for, instead of what it keeps (3: the password itself,
        # 0: nothing).
        self.asks: int | None = None
        # Whether the front goes silent: connections open, and nothing is passed on.
        self.mute = False
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls.certificate, tls.key)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10), "the front did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        listening = asyncio.start_server(self._client, "127.0.0.1", 0)
        server = self._loop.run_until_complete(listening)
        self.port: int = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            asyncio.IncompleteReadError, OSError, ssl.SSLError, asyncio.CancelledError
        ):
            await self._serve(reader, writer)
        with contextlib.suppress(Exception):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length, code = struct.unpack(">II", await reader.readexactly(8))
        if code == _SSL_REQUEST:
            writer.write(b"S" if self._context else b"N")
            await writer.drain()
            if self._context is None:
                return
            await writer.start_tls(self._context)
            length, code = struct.unpack(">II", await reader.readexactly(8))
        fields = (await reader.readexactly(length - 8)).rstrip(b"\0").split(b"\0")
        said = dict(zip(fields[::2], fields[1::2], strict=False))
        if self.asks is not None:
            writer.write(_message(b"R", struct.pack(">I", self.asks)))
            await writer.drain()
            await reader.read()
            return
        user = said[b"user"]
        digest = self.digests.get(user)
        if digest and not await self._asked(reader, writer, user, *digest):
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        known = b"".join(k + b"\0" + v + b"\0" for k, v in said.items() if k in _KNOWN) + b"\0"
        up_writer.write(struct.pack(">II", len(known) + 8, code) + known)
        try:
            if digest:
                await self._answer_md5(up_reader, up_writer, writer, user)
            await self._pass(reader, writer, up_reader, up_writer, user)
        finally:
            up_writer.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        user: bytes,
    ) -> None:
        pending: _Pending = []
        answers = asyncio.ensure_future(self._answers(up_reader, writer, user, pending))
        try:
            while True:
                kind, body = await _receive(reader)
                while self.mute:
                    await asyncio.sleep(0.05)
                if kind == b"P":  # Parse: name, statement, types
                    name, statement, types = body.split(b"\0", 2)
                    self.statements.append((user.decode(), statement.decode()))
                    body = b"\0".join((name, self._translated(statement, pending), types))
                up_writer.write(_message(kind, body))
                await up_writer.drain()
        finally:
            answers.cancel()

    def _translated(self, statement: bytes, pending: _Pending) -> bytes:
        for pattern, instead in _STATEMENTS:
            statement = re.sub(pattern, instead, statement)
        parts = _QUOTED.split(redshift_permissions.as_row(statement))
        for index in range(0, len(parts), 2):
            for pattern, word in _WORDS:
                parts[index] = re.sub(pattern, word, parts[index])
        statement = b"".join(parts)
        found = _PASSWORD.match(statement)
        if found is None:
            return statement
        name = found[2][1:-1].replace(b'""', b'"') if found[2][:1] == b'"' else found[2].lower()
        password = found[4].replace(b"''", b"'")
        if not password.startswith(b"sha256|"):
            pending.append((name, None))
            return statement
        pending.append((name, _digest_and_salt(password)))
        before = found[1] + found[2] + found[3]
        return before + b"'" + _behind(name) + b"'" + statement[found.end() :]

    async def _answers(
        self,
        up_reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        user: bytes,
        pending: _Pending,
    ) -> None:
        """Passes PostgreSQL's answers on; digests follow its transactions."""
        tag, failed = b"", False
        with contextlib.suppress(OSError, RuntimeError, asyncio.IncompleteReadError):
            while True:
                kind, body = await _receive(up_reader)
                if kind == b"E":
                    failed = True
                    body = self._error(user, body)
                elif kind == b"C":
                    tag = body.rstrip(b"\0")
                elif kind == b"Z":
                    if failed or tag == b"ROLLBACK":
                        pending.clear()
                    elif tag and body == b"I":
                        self._settle(pending)
                    # A Parse ends without a tag: nothing has run yet.
                    tag, failed = b"", False
                elif kind == b"S" and body.startswith(b"server_version\0"):
                    body = body.split(b" ")[0].rstrip(b"\0") + b"\0"
                writer.write(_message(kind, body))
                await writer.drain()
        writer.close()

    def _error(self, user: bytes, body: bytes) -> bytes:
        if b"password authentication failed" not in body:
            return body
        self.refused.append(user.decode())
        return re.sub(rb"\0C[0-9A-Z]{5}\0", b"\0C28000\0", body)

    def _settle(self, pending: _Pending) -> None:
        for name, digest in pending:
            self.digests.pop(name, None)
            if digest:
                self.digests[name] = digest
        pending.clear()

    async def _asked(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        user: bytes,
        digest: bytes,
        salt: bytes,
    ) -> bool:
        """Redshift's digest question, and the driver's answer to it."""
        nonce = secrets.token_hex(16).encode()
        question = struct.pack(">III", _DIGEST, 0, len(salt)) + salt
        writer.write(_message(b"R", question + struct.pack(">I", len(nonce)) + nonce))
        await writer.drain()
        _, body = await _receive(reader)
        size = struct.unpack(">I", body[:4])[0]
        answer, rest = body[4 : 4 + size], body[4 + size :]
        client_nonce = rest[4 : 4 + struct.unpack(">I", rest[:4])[0]]
        expected = hashlib.sha256(digest + nonce + client_nonce).digest()
        if hmac.compare_digest(answer, expected):
            return True
        self.refused.append(user.decode())
        text = b'Mpassword authentication failed for user "' + user + b'"'
        writer.write(_message(b"E", b"SFATAL\0C28000\0" + text + b"\0\0"))
        await writer.drain()
        return False

    async def _answer_md5(
        self,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        user: bytes,
    ) -> None:
        """Answers PostgreSQL's own md5 question in the client's stead."""
        kind, body = await _receive(up_reader)
        if kind == b"R" and struct.unpack(">I", body[:4])[0] == _MD5:
            inner = hashlib.md5(_behind(user) + user).hexdigest().encode()  # noqa: S324
            outer = hashlib.md5(inner + body[4:8]).hexdigest().encode()  # noqa: S324
            up_writer.write(_message(b"p", b"md5" + outer + b"\0"))
        else:
            writer.write(_message(kind, body))


def _digest_and_salt(password: bytes) -> tuple[bytes, bytes]:
    fields = password.split(b"|")
    if len(fields) == 3 and re.fullmatch(rb"[0-9a-fA-F]{64}", fields[1]):
        return bytes.fromhex(fields[1].decode()), fields[2]
    salt = secrets.token_hex(8).encode()
    return hashlib.sha256(password.removeprefix(b"sha256|") + salt).digest(), salt


def _behind(user: bytes) -> bytes:
    """The password that PostgreSQL has of a user whose digest is kept here."""
    return hashlib.sha256(b"behind the front: " + user).hexdigest().encode()
