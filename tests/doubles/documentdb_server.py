"""A double of MongoDB and DocumentDB: SecantusDB, with what it lacks of users and their rights.

    python documentdb_server.py PORT DIRECTORY [CERTIFICATE KEY] < the administrator's password

SecantusDB speaks MongoDB's protocol on WiredTiger: SCRAM, TLS, users, roles, authorization. It is
neither mongod nor DocumentDB. What is added or assumed here, and nowhere else:

1. mongod (manual: createUser, updateUser, usersInfo): custom data and authentication restrictions
   are stored; the latter are shown only when asked for, and are not enforced here. Whoever gets a
   password, and no ``mechanisms`` with it, gets every kind of SCRAM that the server takes, whatever
   it had; a kind that it does not take is refused (user_management_commands.cpp, buildCredentials;
   SecantusDB keeps a user's kinds). ``mechanisms`` needs no right of its own.
2. mongod (manual: updateUser, "Required Access"; privilege actions): one's own password needs
   changeOwnPassword or changePassword, another's changePassword; custom data changeCustomData,
   roles grantRole and revokeRole, restrictions setAuthenticationRestriction. Everybody may look at
   himself. SecantusDB takes changeOwnPassword for everything.
3. mongod (manual: rolesInfo): privileges are shown only with showPrivileges.
4. mongod: no speculative authentication by a mechanism that the user has not, and SASL names are
   unescaped (RFC 5802: "=2C", "=3D").
5. mongod: hangs up on whoever begins with TLS where it has none.
6. DocumentDB (persona "documentdb"): SCRAM-SHA-1 only; custom data and restrictions are "not
   supported" (303), or with persona "careless" passed over; everybody may change his own password,
   without which AWS's single-user template could not work; everybody is of ``admin``. No page of
   AWS's says which of the two happens to custom data: the engine has to live with both.
7. Both hide passwords in their logs (mongod's redaction of ``pwd``).

``{"double": persona}`` is a command of the administrator's, and turns the server into another; with
``forget`` it has no users any more, and with ``taking`` it takes only those kinds of SCRAM.
Every command about users is a line of JSON on standard output, without ``pwd``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bson import json_util
from secantus import (  # type: ignore[import-untyped]
    SecantusDBServer,
    auth,
    commands,
    rbac,
)

Document = dict[str, Any]
Handler = Callable[[Document, Any], Document]

BOTH = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
NEW = ("customData", "authenticationRestrictions")
DATABASES = ("admin", "app-db", "owned", "elsewhere")  # where tests define users
PERSONAS = ("mongodb", "documentdb", "careless")

_persona = "mongodb"
_taken = BOTH
_lock = threading.RLock()
_real: dict[str, Handler] = dict(commands._HANDLERS)


def say(**line: object) -> None:
    with _lock:
        print(json_util.dumps(line, ensure_ascii=False), flush=True)  # noqa: T201 it is the log


def failed(code: int, said: str) -> Document:
    return {"ok": 0.0, "errmsg": said, "code": code, "codeName": f"Code{code}"}


def me(context: Any) -> tuple[str, str] | None:
    known = context.connection_auth
    return known.authenticated_principals[0] if known and known.is_authenticated else None


def may(context: Any, action: str, database: str) -> bool:
    return not context.require_auth or rbac.check_privilege(
        context.connection_auth.effective_roles,
        action,
        target_db=database,
        role_resolver=context.storage.get_role,
    )


def needed(document: Document, command: str, *, own: bool) -> Iterator[tuple[str, ...]]:
    """The actions that a command about a user needs: of each tuple, one will do."""
    if command in {"createUser", "dropUser"}:
        yield (command,)
    if command == "usersInfo" and not own:
        yield ("viewUser",)
    if command == "updateUser":
        if "pwd" in document and not (own and _persona != "mongodb"):
            yield ("changePassword", *(["changeOwnPassword"] if own else []))
        if "customData" in document:
            yield ("changeCustomData", *(["changeOwnCustomData"] if own else []))
        if "roles" in document:
            yield ("revokeRole",)
    if "authenticationRestrictions" in document:
        yield ("setAuthenticationRestriction",)


def lacking(context: Any, document: Document, command: str) -> str | None:
    """The first action that the session's user lacks for a command about users."""
    database = context.db_name
    own = me(context) == (database, document[command])
    for actions in needed(document, command, own=own):
        if not any(may(context, action, database) for action in actions):
            return actions[0]
    for role in document.get("roles", ()):
        of = role.get("db", database) if isinstance(role, Mapping) else database
        if not may(context, "grantRole", of):
            return "grantRole"
    return None


def kinds_of(document: Document) -> list[str]:
    return document.get("mechanisms") or (_taken if _persona == "mongodb" else BOTH[:1])


def create_user(document: Document, context: Any) -> Document:
    kinds = kinds_of(document)
    if not {*kinds} <= {*_taken}:
        return failed(2, f"one of {kinds} not supported in authMechanisms")
    answer = _real["createUser"]({**document, "mechanisms": kinds}, context)
    return store(document, context, document["createUser"]) if answer["ok"] else answer


def update_user(document: Document, context: Any) -> Document:
    name = document["updateUser"]
    record = context.storage.get_user(context.db_name, name)
    if record is not None and document.get("pwd"):
        kinds = kinds_of(document)
        if not {*kinds} <= {*_taken}:
            return failed(2, f"one of {kinds} not supported in authMechanisms")
        record = {**record, "mechanisms": kinds}
        context.storage.add_user(context.db_name, name, record, replace=True)
    if "pwd" in document or "roles" in document:
        answer = _real["updateUser"](document, context)
        if not answer["ok"]:
            return answer
    elif record is None:
        return failed(11, f"User '{name}@{context.db_name}' not found")
    elif _persona == "mongodb" and not any(key in document for key in NEW):
        return failed(2, "Must specify at least one field to update in updateUser")
    return store(document, context, name)


def store(document: Document, context: Any, name: str) -> Document:
    new = {key: document[key] for key in NEW if key in document}
    if new and _persona == "mongodb":
        record = {**context.storage.get_user(context.db_name, name), **new}
        context.storage.add_user(context.db_name, name, record, replace=True)
    return {"ok": 1.0}


def users_info(document: Document, context: Any) -> Document:
    answer = _real["usersInfo"](document, context)
    for user in answer["users"]:
        if not document.get("showAuthenticationRestrictions"):
            user.pop("authenticationRestrictions", None)
        elif _persona == "mongodb":
            user.setdefault("authenticationRestrictions", [])
        if _persona != "mongodb":
            for key in (*NEW, "mechanisms"):
                user.pop(key, None)
    return answer


def roles_info(document: Document, context: Any) -> Document:
    answer = _real["rolesInfo"](document, context)
    if not document.get("showPrivileges"):
        for role in answer["roles"]:
            role.pop("privileges", None)
    return answer


def unsupported(document: Document) -> str | None:
    asked = {*document} & {*NEW, "showAuthenticationRestrictions"}
    return min(asked) if asked and _persona == "documentdb" else None


def guarded(name: str, handler: Handler) -> Handler:
    """The handler, behind the checks of mongod's, one at a time, and logged."""

    def handle(document: Document, context: Any) -> Document:
        with _lock:
            field = unsupported(document)
            if field:
                return failed(303, f"Feature not supported: {field}")
            if _persona != "mongodb" and context.db_name != "admin":
                context = dataclasses.replace(context, db_name="admin")
            missing = lacking(context, document, name) if context.require_auth else None
            if missing:
                said = f"not authorized on {context.db_name} to execute command (action: {missing})"
                return failed(13, said)
            return handler(document, context)

    return logged(handle)


_GENERIC = ("$db", "lsid", "$readPreference", "txnNumber", "$clusterTime", "apiVersion")


def sasl_continue(document: Document, context: Any) -> Document:
    state = context.connection_auth and context.connection_auth.scram
    answer = _real["saslContinue"](document, context)
    if state:
        word = "login" if answer["ok"] else "refused"
        say(**{word: state.username, "database": state.db_name, "by": state.creds.mechanism})
    return answer


def double(document: Document, context: Any) -> Document:
    global _persona, _taken  # noqa: PLW0603 one server has one
    if not may(context, "anyAction", "admin") and me(context) != ("admin", "root"):
        return failed(13, "not authorized")
    if document["double"] not in PERSONAS:
        return failed(2, f"one of {PERSONAS}")
    _persona = document["double"]
    _taken = document.get("taking", BOTH)
    if document.get("forget"):
        forget(context.storage)
    return {"ok": 1.0}


def forget(storage: Any) -> None:
    """Everybody but the administrator, and every role."""
    for database in DATABASES:
        for user in storage.list_users(database):
            if user["user"] != "root":
                storage.drop_user(database, user["user"])
        for role in storage.list_roles(database):
            storage.drop_role(database, role["role"])


def assume() -> None:
    """Puts the assumptions into SecantusDB."""
    handlers: dict[str, Handler] = {
        "createUser": create_user,
        "updateUser": update_user,
        "usersInfo": users_info,
        "dropUser": _real["dropUser"],
    }
    for name, handler in handlers.items():
        commands._HANDLERS[name] = guarded(name, handler)
        commands._COMMAND_ACTIONS.pop(name, None)
    commands._HANDLERS["rolesInfo"] = logged(roles_info)
    commands._HANDLERS["connectionStatus"] = logged(_real["connectionStatus"])
    commands._HANDLERS["saslContinue"] = sasl_continue
    commands._HANDLERS["double"] = double
    more = {"changePassword", "changeCustomData", "setAuthenticationRestriction"}
    for spec in rbac.BUILT_IN_ROLES.values():
        if "createUser" in spec.actions:
            # The manual's userAdmin has changeOwnPassword by changePassword.
            spec.actions = spec.actions | more
    for parameters in auth._MECH_PARAMS.values():
        parameters["default_iterations"] = 4096  # the least that PyMongo takes
    mend_names()


def logged(handler: Handler) -> Handler:
    def handle(document: Document, context: Any) -> Document:
        shown = {key: document[key] for key in document if key not in _GENERIC}
        if "pwd" in shown:
            shown["pwd"] = "xxx"
        say(database=context.db_name, command=shown)
        return handler(document, context)

    return handle


def mend_names() -> None:
    begin, peek, speculate = (
        commands.begin_scram,
        commands._peek_scram_username,
        commands._speculative_auth,
    )

    def plain(name: str) -> str:
        return name.replace("=2C", ",").replace("=3D", "=")

    def begin_scram(**given: Any) -> tuple[bytes, Any]:
        first, state = begin(**given)
        return first, dataclasses.replace(state, username=plain(state.username))

    def speculative(spec: Document, context: Any) -> Document | None:
        name = plain(peek(commands._payload_bytes(spec.get("payload"))))
        user = context.storage.get_user(spec.get("db") or "admin", name) or {}
        kinds = user.get("credentials", {})
        return speculate(spec, context) if spec.get("mechanism") in kinds else None

    commands.begin_scram = begin_scram
    commands._peek_scram_username = lambda payload: plain(peek(payload))
    commands._speculative_auth = speculative


class Server(SecantusDBServer):  # type: ignore[misc]
    def _handle_client(self, line: socket.socket, address: Any) -> None:
        if not self._ssl_context and line.recv(1, socket.MSG_PEEK) == b"\x16":
            line.close()
            return
        super()._handle_client(line, address)


def main() -> None:
    port, directory, *pair = sys.argv[1:]
    password = sys.stdin.readline().rstrip("\n")
    assume()
    tls = dict(zip(("tls_cert_file", "tls_key_file"), pair, strict=bool(pair)))
    server = Server(
        port=int(port),
        storage_path=str(Path(directory) / "data"),
        cache_size="64M",
        replica_set_name=None,
        require_auth=True,
        client_idle_timeout_s=600,
        **tls,
    )
    credentials: Document = {}
    for kind in BOTH:
        derived = auth.derive_credentials(password, mechanism=kind, username="root")
        credentials.update(derived.to_doc())
    root = {"user": "root", "db": "admin", "credentials": credentials, "mechanisms": BOTH}
    roles = [{"role": "root", "db": "admin"}]
    server.storage.add_user("admin", "root", {**root, "_id": "admin.root", "roles": roles})
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing in it is to be kept
    server.start()
    say(ready=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
