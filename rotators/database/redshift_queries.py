"""What is asked of the catalogs of Redshift. Everybody may ask about oneself.

| question | asked of | documented (Database Developer Guide) |
|---|---|---|
| tables and views | PG_CLASS.relacl, relowner | "System catalog tables" |
| columns | SVV_COLUMN_PRIVILEGES | r_SVV_COLUMN_PRIVILEGES |
| schemas; which are external | PG_NAMESPACE.nspacl; SVV_EXTERNAL_SCHEMAS | r_SVV_EXTERNAL_SCHEMAS |
| functions, procedures | PG_PROC.proacl; PG_PROC_INFO.prokind | r_PG_PROC_INFO |
| databases, languages | PG_DATABASE.datacl, PG_LANGUAGE.lanacl | "System catalog tables" |
| default privileges | PG_DEFAULT_ACL | r_PG_DEFAULT_ACL |
| groups | PG_GROUP.grolist | "Groups" |
| roles, of users; of roles | SVV_USER_GRANTS; SVV_ROLE_GRANTS | r_SVV_USER_GRANTS and so on |
| what roles may in the system, and users | SVV_SYSTEM_PRIVILEGES | r_SVV_SYSTEM_PRIVILEGES |
| scoped permissions | SVV_SCHEMA_PRIVILEGES, SVV_DATABASE_PRIVILEGES | r_SVV_SCHEMA_PRIVILEGES … |
| ASSUMEROLE; models | SVV_IAM_PRIVILEGES; SVV_ML_MODEL_PRIVILEGES | r_SVV_IAM_PRIVILEGES … |
| CREATEDB, VALID UNTIL, SET | PG_USER | pg_user_info |
| limits, time-out, SYSLOG ACCESS | SVV_USER_INFO | r_SVV_USER_INFO |

Access lists are taken as they are, for a user's *own* rights: HAS_TABLE_PRIVILEGE and its like also
answer for PUBLIC and groups. aclexplode is not there, so they come as
text (as amazon-redshift-utils reads them). Relations that no
PostgreSQL has (SVV_…, PG_PROC_INFO) are done without where they are missing, and that is said.
"""

from __future__ import annotations

_ACL = "array_to_string({0}, chr(31))"
# The owner's, or what mentions the name: to be read closely, but not every list there is. Asked of
# two users, one of whose names begins with the other's; or of one, twice.
_MINE = f"(pg_get_userbyid({{1}}) IN (%s, %s) OR strpos({_ACL}, %s) > 0)"
_OF = f", pg_get_userbyid({{1}})::text, {_ACL}"


def _about(acl: str, owner: str, text: str) -> str:
    return text.format(of=_OF.format(acl, owner), mine=_MINE.format(acl, owner))


# Kind, schema, name, owner, access list. The search path is pg_catalog, so that a routine which is
# elsewhere comes with its schema.
_THINGS = (
    _about(
        "c.relacl", "c.relowner",
        "SELECT 'TABLE'::text, n.nspname::text, c.relname::text{of}"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm') AND {mine} AND substring(n.nspname, 1, 7) <> 'pg_temp'"
        # What a materialized view keeps its rows in.
        " AND substring(c.relname, 1, 8) <> 'mv_tbl__'",
    ),
    _about(
        "n.nspacl", "n.nspowner",
        "SELECT 'SCHEMA'::text, NULL::text, n.nspname::text{of} FROM pg_catalog.pg_namespace n"
        " WHERE {mine} AND substring(n.nspname, 1, 7) <> 'pg_temp'",
    ),
    _about(
        "p.proacl", "p.proowner",
        "SELECT 'FUNCTION'::text, NULL::text, textin(regprocedureout(p.oid::regprocedure)){of}"
        " FROM pg_catalog.pg_proc p WHERE {mine}",
    ),
    _about(
        "d.datacl", "d.datdba",
        "SELECT 'DATABASE'::text, NULL::text, d.datname::text{of} FROM pg_catalog.pg_database d"
        " WHERE {mine}",
    ),
    _about(
        "l.lanacl", "1",
        "SELECT 'LANGUAGE'::text, NULL::text, l.lanname::text{of} FROM pg_catalog.pg_language l"
        " WHERE {mine}",
    ),
)  # fmt: skip
THINGS, THINGS_ASKED = " UNION ALL ".join(_THINGS), len(_THINGS)
DEFAULTS = _about(
    "d.defaclacl", "d.defacluser",
    "SELECT n.nspname, d.defaclobjtype{of} FROM pg_catalog.pg_default_acl d"
    " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace WHERE {mine}",
)  # fmt: skip
PROCEDURES = (
    "SELECT textin(regprocedureout(i.prooid::regprocedure)) FROM pg_catalog.pg_proc_info i"
    " WHERE i.prokind = 'p'"
)
COLUMNS = (
    "SELECT identity_name, namespace_name, relation_name, column_name, privilege_type"
    " FROM pg_catalog.svv_column_privileges"
    " WHERE identity_type = 'user' AND identity_name IN (%s, %s)"
)
EXTERNAL = "SELECT schemaname FROM pg_catalog.svv_external_schemas"
GROUPS = (
    "SELECT u.usename, g.groname FROM pg_catalog.pg_group g, pg_catalog.pg_user u"
    " WHERE u.usename IN (%s, %s) AND u.usesysid = ANY (g.grolist)"
)
ROLES = (
    "SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants"
    " WHERE user_name IN (%s, %s)"
)
ROLES_OF_ROLES = "SELECT role_name, granted_role_name FROM pg_catalog.svv_role_grants"
SYSTEM = (
    "SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges"
    " WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN (%s, %s)"
)
SCOPED = {
    "SCHEMA": (
        "SELECT identity_name, privilege_type, privilege_scope, namespace_name, admin_option"
        " FROM pg_catalog.svv_schema_privileges WHERE privilege_scope <> 'SCHEMA'"
        " AND identity_type = 'user' AND identity_name IN (%s, %s)"
    ),
    "DATABASE": (
        "SELECT identity_name, privilege_type, privilege_scope, database_name, admin_option"
        " FROM pg_catalog.svv_database_privileges WHERE privilege_scope <> 'DATABASE'"
        " AND identity_type = 'user' AND identity_name IN (%s, %s)"
    ),
}
ASSUMED = (
    "SELECT identity_name, iam_arn, command_type FROM pg_catalog.svv_iam_privileges"
    " WHERE identity_type = 'user' AND identity_name IN (%s, %s)"
)
MODELS = (
    "SELECT identity_name, namespace_name, model_name, privilege_type, admin_option"
    " FROM pg_catalog.svv_ml_model_privileges"
    " WHERE identity_type = 'user' AND identity_name IN (%s, %s)"
)
USERS = (
    "SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)),"
    " array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN (%s, %s)"
)
INFO = (
    "SELECT user_name, connection_limit, syslog_access, session_timeout"
    " FROM pg_catalog.svv_user_info WHERE user_name IN (%s, %s)"
)
