"""The catalog views of the double of SQL Server: columns (``#`` for numbers) and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.doubles.sqlserver import SqlServer
    from tests.doubles.sqlserver_state import Database, Principal

Found = tuple[str, list[list[Any]]]
_THINGS = {
    "service_message_types": (15, "message_type_id"), "services": (17, "service_id"),
    "service_contracts": (16, "service_contract_id"), "certificates": (25, "certificate_id"),
    "remote_service_bindings": (18, "remote_service_binding_id"), "routes": (19, "route_id"),
    "fulltext_catalogs": (23, "fulltext_catalog_id"), "assemblies": (5, "assembly_id"),
    "symmetric_keys": (24, "symmetric_key_id"), "asymmetric_keys": (26, "asymmetric_key_id"),
    "fulltext_stoplists": (29, "stoplist_id"),
    "registered_search_property_lists": (31, "property_list_id"),
    "database_scoped_credentials": (32, "credential_id"),
}  # fmt: skip


def rows_of(server: SqlServer, db: Database, session: dict[str, Any], view: str) -> Found | None:
    if view in _THINGS:
        number, key = _THINGS[view]
        return f"name #{key}", [[n, i] for n, i in db.things.get(number, {}).items()]
    made: Any = _VIEWS.get(view)
    return made(server, db, session) if made else None


def _permissions(principals: Iterable[Principal]) -> Found:
    columns = "#class #major_id #minor_id #grantee_principal_id permission_name state"
    return columns, [
        [where, major, minor, principal.id, permission, state]
        for principal in principals
        for (where, major, minor, permission), state in principal.permissions.items()
    ]


def _members(principals: Iterable[Principal]) -> Found:
    pairs = [[role.id, member] for role in principals for member in sorted(role.members)]
    return "#role_principal_id #member_principal_id", pairs


def _on_server(server: SqlServer) -> list[Principal]:
    return [*server.logins.values(), *server.roles.values()]


def _databases(server: SqlServer, _: Database, session: dict[str, Any]) -> Found:
    me = session["principal"]
    columns = "name #database_id #containment #is_trustworthy_on #state #is_read_only #accessible"
    return columns, [
        [
            db.name,
            db.id,
            db.containment,
            int(db.trustworthy),
            0,
            0,
            int(server.enters(me, db) or me in db.principals.values()),
        ]
        for db in server.databases.values()
    ]


def _logins(server: SqlServer, *_: Any) -> Found:
    columns = (
        "#principal_id name sid default_database_name default_language_name #is_policy_checked"
        " #is_expiration_checked"
    )
    return columns, [
        [
            login.id,
            login.name,
            login.sid,
            login.options.get("DEFAULT_DATABASE", "master"),
            login.options.get("DEFAULT_LANGUAGE", "us_english"),
            int(login.options.get("CHECK_POLICY", "ON") == "ON"),
            int(login.options.get("CHECK_EXPIRATION", "OFF") == "ON"),
        ]
        for login in server.logins.values()
    ]


def _principals(_: SqlServer, db: Database, *__: Any) -> Found:
    columns = (
        "#principal_id name sid type #authentication_type default_schema_name default_language_name"
    )
    return columns, [
        [
            one.id,
            one.name,
            one.sid,
            one.kind,
            2 if one.password is not None else 1 if one.kind == "S" else 0,
            one.options.get("DEFAULT_SCHEMA", "dbo") if one.kind == "S" else None,
            one.options.get("DEFAULT_LANGUAGE"),
        ]
        for one in db.principals.values()
    ]


def _objects(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [[n, db.schemas[s], i] for (s, n), (i, _c) in db.objects.items()]
    return "name #schema_id #object_id", rows


def _columns(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [
        [name, number, at]
        for number, names in db.objects.values()
        for at, name in enumerate(names, 1)
    ]
    return "name #object_id #column_id", rows


def _types(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [[n, db.schemas[s], i] for (s, n), i in db.types.items()]
    return "name #schema_id #user_type_id", rows


_VIEWS = {
    "databases": _databases,
    "sql_logins": _logins,
    "server_principals": lambda server, *_: (
        "#principal_id name sid type",
        [[one.id, one.name, one.sid, one.kind] for one in _on_server(server)],
    ),
    "server_permissions": lambda server, *_: _permissions(_on_server(server)),
    "server_role_members": lambda server, *_: _members(server.roles.values()),
    "database_principals": _principals,
    "database_permissions": lambda _, db, *__: _permissions(db.principals.values()),
    "database_role_members": lambda _, db, *__: _members(db.principals.values()),
    "schemas": lambda _, db, *__: ("name #schema_id", [list(s) for s in db.schemas.items()]),
    "all_objects": _objects,
    "all_columns": _columns,
    "types": _types,
}
