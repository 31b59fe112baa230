"""What the double of Redshift knows of permissions that PostgreSQL has not.

GRANT and REVOKE of scoped permissions, ASSUMEROLE, models and CREATE MODEL become rows, which the
views of Redshift show: r_GRANT, r_REVOKE, and the page of each view. Assumed, as no page says it:
CREATE MODEL of a user is in SVV_SYSTEM_PRIVILEGES, and IAM's default role is shown by the name that
the example of SVV_IAM_PRIVILEGES has. Everything about them is transactional, and the admin's.

Table privileges of PostgreSQL 17 stand for Redshift's: MAINTAIN for ALTER, TRIGGER for DROP. So
letters are shown by r_PG_DEFAULT_ACL.
"""

from __future__ import annotations

import re

SCHEMA = """
CREATE TABLE redshift_double.permission (
  kind text, who text, a text, b text, c text, admin bool, PRIMARY KEY (kind, who, a, b, c));
CREATE VIEW redshift_double.shown AS SELECT * FROM redshift_double.permission
  WHERE who = current_user OR redshift_double.sees_all();
CREATE VIEW pg_catalog.svv_system_privileges AS
  SELECT privilege AS system_privilege, 0 AS identity_id, role AS identity_name,
         'role'::text AS identity_type
  FROM redshift_double.system_privilege WHERE redshift_double.sees_all()
  UNION ALL SELECT a, 0, who, 'user' FROM redshift_double.shown WHERE kind = 'system';
CREATE VIEW pg_catalog.svv_schema_privileges AS
  SELECT c AS namespace_name, a AS privilege_type, 0 AS identity_id, who AS identity_name,
         'user'::text AS identity_type, admin AS admin_option, b AS privilege_scope
  FROM redshift_double.shown WHERE kind = 'schema';
CREATE VIEW pg_catalog.svv_database_privileges AS
  SELECT c AS database_name, a AS privilege_type, 0 AS identity_id, who AS identity_name,
         'user'::text AS identity_type, admin AS admin_option, b AS privilege_scope
  FROM redshift_double.shown WHERE kind = 'database';
CREATE VIEW pg_catalog.svv_iam_privileges AS
  SELECT CASE a WHEN 'default' THEN 'default-aws-iam-role' ELSE trim(a, '''') END AS iam_arn,
         CASE b WHEN 'EXTERNAL FUNCTION' THEN 'EXFUNC' ELSE b END AS command_type,
         0 AS identity_id, who AS identity_name, 'user'::text AS identity_type
  FROM redshift_double.shown WHERE kind = 'iam';
CREATE VIEW pg_catalog.svv_ml_model_privileges AS
  SELECT b AS namespace_name, c AS model_name, 1 AS model_version, a AS privilege_type,
         0 AS identity_id, who AS identity_name, 'user'::text AS identity_type,
         admin AS admin_option
  FROM redshift_double.shown WHERE kind = 'model';
GRANT SELECT ON pg_catalog.svv_system_privileges, pg_catalog.svv_schema_privileges,
  pg_catalog.svv_database_privileges, pg_catalog.svv_iam_privileges,
  pg_catalog.svv_ml_model_privileges TO PUBLIC;
"""

# A database without those views needs it, too.
LETTERS = """
CREATE SCHEMA redshift_letters;
GRANT USAGE ON SCHEMA redshift_letters TO PUBLIC;
CREATE FUNCTION redshift_letters.of(aclitem[], text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $1 IS NOT NULL THEN coalesce(
    string_agg(m[1] || '=' || translate(m[2], 'Dtm', 'PDA') || '/' || m[3], $2), '') END
  FROM unnest($1) AS item,
       regexp_match(item::text, '^("(?:[^"]|"")*"|[^="]*)=([a-zA-Z*]*)/(.*)$') AS m $$;
"""

# Words outside of quotes: Redshift's, PostgreSQL's.
WORDS = [
    (rb"\bDROP(?=(?:, \w+)* ON )", b"TRIGGER"),
    (rb"\bALTER(?=(?:, \w+)* ON )", b"MAINTAIN"),
    (rb"\barray_to_string\(([cd]\.(?:rel|defacl)acl)\b", rb"redshift_letters.of(\1"),
]
_STATEMENT = re.compile(
    rb'(GRANT|REVOKE) (.+) (?:TO|FROM) "((?:[^"]|"")+)"((?: FOR [A-Z ]+?)?)( WITH GRANT OPTION)?'
)
_NAMED = rb'"([^"]+)"'
_FORMS = {
    "system": rb"(CREATE MODEL)",
    "model": rb"(EXECUTE) ON MODEL " + _NAMED + rb"\." + _NAMED,
    "iam": rb"ASSUMEROLE ON ('[^']+'|default|ALL) FOR (COPY|UNLOAD|EXTERNAL FUNCTION|CREATE MODEL)",
    "schema": rb"([A-Z]+) FOR (TABLES|FUNCTIONS|PROCEDURES) IN SCHEMA " + _NAMED,
    "database": rb"([A-Z]+) FOR (SCHEMAS|TABLES|FUNCTIONS|LANGUAGES) IN DATABASE " + _NAMED,
}


def as_row(statement: bytes) -> bytes:
    """What PostgreSQL is told instead."""
    said = _STATEMENT.fullmatch(statement)
    if said is None:
        return statement
    verb, what, who, more, option = said.groups()
    for kind, form in _FORMS.items():
        found = re.fullmatch(form, what + more)
        if found is None:
            continue
        key = [kind.encode(), who.replace(b'""', b'"'), *found.groups()]
        values = [_literal(value) for value in (*key, b"", b"")[:5]]
        if verb == b"REVOKE":
            return (
                b"DELETE FROM redshift_double.permission WHERE (kind, who, a, b, c) = ("
                + b", ".join(values) + b")"
            )  # fmt: skip
        return (
            b"INSERT INTO redshift_double.permission VALUES ("
            + b", ".join([*values, b"true" if option else b"false"])
            + b") ON CONFLICT (kind, who, a, b, c) DO UPDATE SET admin = EXCLUDED.admin"
        )
    return statement


def _literal(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"''") + b"'"
