"""The catalog views of the double of SQL Server: columns (``#`` for numbers) and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.sqlserver_state import FIRST_MADE

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
        things = db.things.get(number, {}).items()
        return f"name #{key} #principal_id", [
            [n, i, db.owners.get((number, i), 1)] for n, i in things
        ]
    made: Any = _VIEWS.get(view)
    return made(server, db, session) if made else None


def _permissions(principals: Iterable[Principal]) -> Found:
    columns = "#class #major_id #minor_id #grantee_principal_id permission_name state"
    return columns, [
        [where, major, minor, principal.id, permission, state]
        for principal in principals
        for (where, major, minor, permission), state in [
            *principal.permissions.items(),
            *principal.others_gave,
        ]
    ]


def _members(principals: Iterable[Principal]) -> Found:
    pairs = [[role.id, member] for role in principals for member in sorted(role.members)]
    return "#role_principal_id #member_principal_id", pairs


def _on_server(server: SqlServer, session: dict[str, Any]) -> list[Principal]:
    """Those that the session sees: roles that people made are hidden from most."""
    roles = list(server.roles.values())
    if not server.may(session["principal"], "VIEW ANY DEFINITION"):
        roles = [role for role in roles if role.id < FIRST_MADE]
    return [*server.logins.values(), *roles]


def _server_principals(server: SqlServer, _: Database, session: dict[str, Any]) -> Found:
    return "#principal_id name sid type #owning_principal_id", [
        [one.id, one.name, one.sid, one.kind, server.owners.get((101, one.id))]
        for one in _on_server(server, session)
    ]


def _triggers(_: SqlServer, db: Database, *__: Any) -> Found:
    return "name #object_id #parent_class #is_disabled #is_ms_shipped", [
        [name, number, 0, int(not one.enabled), int(one.shipped)]
        for number, (name, one) in enumerate(db.triggers.items())
    ]


def _trigger_events(_: SqlServer, db: Database, *__: Any) -> Found:
    return "#object_id type_desc", [
        [number, event] for number, one in enumerate(db.triggers.values()) for event in one.events
    ]


def _databases(server: SqlServer, _: Database, session: dict[str, Any]) -> Found:
    me = session["principal"]
    columns = (
        "name #database_id #is_trustworthy_on #state #is_read_only #source_database_id"
        " #is_in_standby #accessible"
    )
    return columns, [
        [
            db.name,
            db.id,
            int(db.trustworthy),
            0,
            int(db.read_only),
            db.source,
            int(db.standby),
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
        " #owning_principal_id"
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
            db.owners.get((4, one.id), 1) if one.kind == "R" else None,
        ]
        for one in db.principals.values()
    ]


def _objects(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [[n, db.schemas[s], i, db.owners.get((1, i))] for (s, n), (i, _c) in db.objects.items()]
    return "name #schema_id #object_id #principal_id", rows


def _columns(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [
        [name, number, at]
        for number, names in db.objects.values()
        for at, name in enumerate(names, 1)
    ]
    return "name #object_id #column_id", rows


def _types(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [[n, db.schemas[s], i, db.owners.get((6, i))] for (s, n), i in db.types.items()]
    return "name #schema_id #user_type_id #principal_id", rows


def _schemas(_: SqlServer, db: Database, *__: Any) -> Found:
    rows = [[name, number, db.owners.get((3, number), 1)] for name, number in db.schemas.items()]
    return "name #schema_id #principal_id", rows


_VIEWS = {
    "databases": _databases,
    "sql_logins": _logins,
    "server_principals": _server_principals,
    "server_permissions": lambda server, _, session: _permissions(_on_server(server, session)),
    "server_role_members": lambda server, _, session: _members(_on_server(server, session)),
    "database_principals": _principals,
    "database_permissions": lambda _, db, *__: _permissions(db.principals.values()),
    "database_role_members": lambda _, db, *__: _members(db.principals.values()),
    "schemas": _schemas,
    "triggers": _triggers,
    "trigger_events": _trigger_events,
    "xml_schema_collections": lambda *_: ("name #schema_id #xml_collection_id #principal_id", []),
    "endpoints": lambda *_: ("name #endpoint_id #principal_id", []),
    "all_objects": _objects,
    "all_columns": _columns,
    "types": _types,
}
