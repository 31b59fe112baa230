"""What rights of SQL Server are on: how GRANT calls it, where its name is, and whose it is."""

from __future__ import annotations

from typing import NamedTuple

from rotators.database.sqlserver_statements import quoted

OBJECT, PRINCIPAL, SERVER_PRINCIPAL = 1, 4, 101
COLUMN = "SELECT c.name FROM {}.all_columns c WHERE c.object_id = {} AND c.column_id = {}"


class Securable(NamedTuple):
    """A class of sys.database_permissions, or of sys.server_permissions."""

    keyword: str  # GRANT's; empty where each row says what it is
    view: str
    key: str
    in_schema: bool = False
    owner: str = "principal_id"  # the column; empty where not every supported version has the view

    def asked(self) -> str:
        """The names of one by its number, after its type where the keyword depends on that."""
        columns, joined = "o.name", ""
        if self.in_schema:
            columns, joined = "s.name, o.name", " JOIN {0}.schemas s ON s.schema_id = o.schema_id"
        if not self.keyword:
            columns = "o.type, o.name"
        return f"SELECT {columns} FROM {{0}}.{self.view} o{joined} WHERE o.{self.key} = {{1}}"  # noqa: S608 ours

    def named(self, number: int, row: tuple[str, ...]) -> str:
        """As GRANT names it, after a row of the above."""
        keyword, names = self.keyword, list(row)
        if not keyword:
            keyword = _KINDS[number].get(names.pop(0).strip(), _KINDS[number]["S"])
        return f"{keyword}::{'.'.join(map(quoted, names))}"


_KINDS = {
    PRINCIPAL: {"R": "ROLE", "A": "APPLICATION ROLE", "S": "USER"},
    SERVER_PRINCIPAL: {"R": "SERVER ROLE", "S": "LOGIN"},
}
# fmt: off
SECURABLES = {
    OBJECT: Securable("OBJECT", "all_objects", "object_id", in_schema=True),
    3: Securable("SCHEMA", "schemas", "schema_id"),
    PRINCIPAL: Securable("", "database_principals", "principal_id", owner="owning_principal_id"),
    5: Securable("ASSEMBLY", "assemblies", "assembly_id"),
    6: Securable("TYPE", "types", "user_type_id", in_schema=True),
    10: Securable(
        "XML SCHEMA COLLECTION", "xml_schema_collections", "xml_collection_id", in_schema=True),
    15: Securable("MESSAGE TYPE", "service_message_types", "message_type_id"),
    16: Securable("CONTRACT", "service_contracts", "service_contract_id"),
    17: Securable("SERVICE", "services", "service_id"),
    18: Securable("REMOTE SERVICE BINDING", "remote_service_bindings", "remote_service_binding_id"),
    19: Securable("ROUTE", "routes", "route_id"),
    23: Securable("FULLTEXT CATALOG", "fulltext_catalogs", "fulltext_catalog_id"),
    24: Securable("SYMMETRIC KEY", "symmetric_keys", "symmetric_key_id"),
    25: Securable("CERTIFICATE", "certificates", "certificate_id"),
    26: Securable("ASYMMETRIC KEY", "asymmetric_keys", "asymmetric_key_id"),
    29: Securable("FULLTEXT STOPLIST", "fulltext_stoplists", "stoplist_id"),
    31: Securable("SEARCH PROPERTY LIST", "registered_search_property_lists", "property_list_id"),
    32: Securable(
        "DATABASE SCOPED CREDENTIAL", "database_scoped_credentials", "credential_id", owner=""),
    34: Securable("EXTERNAL LANGUAGE", "external_languages", "external_language_id", owner=""),
    SERVER_PRINCIPAL: Securable(
        "", "server_principals", "principal_id", owner="owning_principal_id"),
    105: Securable("ENDPOINT", "endpoints", "endpoint_id"),
}
# fmt: on
_OF_SERVER = 100  # the first class that is of the server, not of a database


def owned(*, server: bool) -> str:
    """Owner, class and number of all that the principals {1} own in {0}."""
    return " UNION ALL\n".join(
        f"SELECT o.{one.owner}, {number}, o.{one.key} FROM {{0}}.{one.view} o"  # noqa: S608 ours
        f" WHERE o.{one.owner} IN ({{1}})"
        for number, one in SECURABLES.items()
        if one.owner and (number > _OF_SERVER) == server
    )
