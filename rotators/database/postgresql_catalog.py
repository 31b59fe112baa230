"""Questions to PostgreSQL's catalogs: what a role has of its own, and what would give it away.

Names come out of the server quoted, by ``format`` and ``pg_identify_object``. Any user may ask.
"""

from __future__ import annotations

# What is granted to a role or owned by it, by database (null: shared by all), and whether this
# session's user may look into that one. Grants of roles are not of this kind.
DEPENDS = """
SELECT d.datname::text,
       d.datallowconn AND pg_catalog.has_database_privilege(session_user, d.oid, 'CONNECT'),
       pg_catalog.count(*) FILTER (WHERE s.deptype = 'o'),
       pg_catalog.count(*) FILTER (WHERE s.deptype <> 'o')
FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND r.rolname::text = %s
  AND s.classid <> 'pg_catalog.pg_auth_members'::regclass
GROUP BY 1, 2 ORDER BY 1
"""
# Roles that only the alternate is a member of; then, where grants of roles have grantors that
# count (16), those that it made. A later version's columns are read by way of JSON.
MEMBERSHIPS = """
WITH who AS (SELECT a.oid AS alternate, b.oid AS base FROM pg_catalog.pg_roles a,
             pg_catalog.pg_roles b WHERE a.rolname::text = %s AND b.rolname::text = %s),
m AS (SELECT m.*, (pg_catalog.to_jsonb(m) ->> 'inherit_option')::bool AS inherits
      FROM pg_catalog.pg_auth_members m)
SELECT pg_catalog.format('GRANT %%I TO %%I%%s', r.rolname, b.rolname,
         CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION'
              WHEN m.inherits THEN ' WITH INHERIT TRUE' ELSE '' END)
FROM who JOIN m ON m.member = who.alternate AND m.roleid <> who.base
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles b ON b.oid = who.base
WHERE NOT pg_catalog.pg_has_role(who.base, m.roleid, 'MEMBER')
   OR m.admin_option AND NOT pg_catalog.pg_has_role(who.base, m.roleid, 'MEMBER WITH ADMIN OPTION')
   OR m.inherits AND NOT pg_catalog.pg_has_role(who.base, m.roleid, 'USAGE')
UNION
SELECT pg_catalog.format('GRANT %%I TO %%I%%s', r.rolname, u.rolname,
         CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END)
FROM who JOIN m ON m.grantor = who.alternate AND m.inherits IS NOT NULL
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
WHERE NOT EXISTS (SELECT FROM m o WHERE o.roleid = m.roleid AND o.member = m.member
                  AND o.grantor <> m.grantor AND o.admin_option >= m.admin_option)
ORDER BY 1
"""
# In this database, in the order to run: (what the text is, the text). Every dependency ends in one
# of the branches. Who has something with the alternate as its grantor gets it anew, as it goes when
# the alternate's own grant goes; it stays while the alternate may grant by way of the base, so that
# grant is the last. Temporary objects end by themselves.
_STRAYS = """
WITH who AS (
  SELECT a.oid AS alternate, b.oid AS base, a.rolname AS old, b.rolname AS new
  FROM pg_catalog.pg_roles a, pg_catalog.pg_roles b
  WHERE a.rolname::text = %s AND b.rolname::text = %s),
near AS (
  SELECT s.* FROM pg_catalog.pg_shdepend s
  WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.dbid IN (0,
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))),
dep AS (
  SELECT DISTINCT s.classid, s.objid, s.deptype FROM near s, who
  WHERE s.refobjid = who.alternate AND s.classid <> 'pg_catalog.pg_auth_members'::regclass
    AND NOT coalesce(pg_catalog.starts_with(
      (pg_catalog.pg_identify_object(s.classid, s.objid, 0)).schema, 'pg_temp'), false)),
acl AS (
  SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, oid AS objid, NULL::text AS col,
         CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, relacl AS acl
  FROM pg_catalog.pg_class
  UNION ALL
  SELECT 'pg_catalog.pg_class'::regclass, attrelid, pg_catalog.quote_ident(attname), 'TABLE', attacl
  FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped
  {acls}),
item AS (
  SELECT acl.classid, acl.objid, acl.col, acl.kind, x.*
  FROM (SELECT classid, objid FROM dep WHERE deptype = 'a'
        EXCEPT SELECT classid, objid FROM dep WHERE deptype = 'o') d
  JOIN acl USING (classid, objid), pg_catalog.aclexplode(acl.acl) x),
of_base AS (
  SELECT s.classid, s.objid FROM near s, who
  WHERE s.deptype = 'o' AND pg_catalog.pg_has_role(who.base, s.refobjid, 'USAGE')),
granted AS (
  SELECT DISTINCT classid, objid FROM item i JOIN who ON i.grantee = who.alternate),
wanted AS (
  SELECT i.*, who.base AS receiver FROM item i, who
  WHERE i.grantee = who.alternate
    AND (i.classid, i.objid) NOT IN (SELECT classid, objid FROM of_base)
  UNION ALL SELECT i.*, i.grantee FROM item i JOIN granted USING (classid, objid), who
  WHERE i.grantor = who.alternate AND i.grantee NOT IN (who.alternate, who.base)),
lacked AS (
  SELECT w.classid, w.objid, w.kind, w.receiver, w.is_grantable, pg_catalog.string_agg(
           w.privilege_type || coalesce(' (' || w.col || ')', ''), ', '
           ORDER BY w.privilege_type, w.col) AS privileges
  FROM wanted w, who WHERE NOT EXISTS (
    SELECT FROM item o WHERE (o.classid, o.objid) = (w.classid, w.objid)
      AND (o.col IS NULL OR o.col = w.col) AND o.privilege_type = w.privilege_type
      AND o.is_grantable >= w.is_grantable AND who.alternate NOT IN (o.grantor, o.grantee)
      AND {has})
  GROUP BY 1, 2, 3, 4, 5),
defaults AS (
  SELECT CASE d.defaclrole WHEN who.alternate THEN who.base ELSE d.defaclrole END AS maker,
         CASE x.grantee WHEN who.alternate THEN who.base ELSE x.grantee END AS receiver,
         d.defaclnamespace, d.defaclobjtype, d.defaclrole, x.privilege_type, x.is_grantable
  FROM who, dep JOIN pg_catalog.pg_default_acl d
    ON dep.classid = 'pg_catalog.pg_default_acl'::regclass AND d.oid = dep.objid,
    pg_catalog.aclexplode(d.defaclacl) x
  WHERE who.alternate IN (d.defaclrole, x.grantee)),
kinds AS (SELECT * FROM (VALUES ('r'::"char", 'r'::"char", 'TABLES'), ('S', 's', 'SEQUENCES'),
  ('f', 'f', 'ROUTINES'), ('T', 'T', 'TYPES'), ('n', 'n', 'SCHEMAS'), ('L', 'L', 'LARGE OBJECTS')
  ) k (defaclobjtype, kind, word)),
found AS (
  SELECT CASE WHEN is_grantable THEN 9 ELSE 1 END AS rank, 'run' AS kind,
         pg_catalog.format('GRANT %%s ON %%s %%s TO %%s%%s', privileges, w.kind,
           pg_catalog.string_agg(i.identity, ', ' ORDER BY i.identity), {receiver},
           CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS said
  FROM lacked w, pg_catalog.pg_identify_object(classid, objid, 0) i
  GROUP BY privileges, w.kind, receiver, is_grantable
  UNION ALL
  SELECT 2, 'run', pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I%%s GRANT %%s ON %%s TO'
           ' %%s%%s', pg_catalog.pg_get_userbyid(w.maker),
           ' IN SCHEMA ' || pg_catalog.quote_ident(n.nspname),
           pg_catalog.string_agg(w.privilege_type, ', ' ORDER BY w.privilege_type), k.word,
           {receiver}, CASE WHEN w.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM defaults w JOIN kinds k USING (defaclobjtype)
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = w.defaclnamespace
  WHERE w.receiver <> w.maker AND NOT EXISTS (
    SELECT FROM ({effective}) e, pg_catalog.aclexplode(e.acl) o
    WHERE o.privilege_type = w.privilege_type AND o.is_grantable >= w.is_grantable AND {has})
  GROUP BY w.maker, n.nspname, k.word, w.receiver, w.is_grantable
  UNION ALL
  SELECT 3, 'run', pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I REVOKE %%s ON %%s FROM'
           ' PUBLIC', who.new, o.privilege_type, k.word)
  FROM who, pg_catalog.pg_default_acl d JOIN kinds k USING (defaclobjtype),
    LATERAL (SELECT who.base AS maker, d.defaclobjtype, 0::oid AS defaclnamespace) w,
    LATERAL ({effective}) e, LATERAL pg_catalog.aclexplode(e.acl) o
  WHERE d.defaclrole = who.alternate AND d.defaclnamespace = 0 AND o.grantee = 0
    AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(d.defaclacl) x
                    WHERE x.grantee = 0 AND x.privilege_type = o.privilege_type)
  UNION ALL
  SELECT 4, 'run', pg_catalog.format('ALTER POLICY %%I ON %%s TO %%s', p.polname, i.identity,
           (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(
              CASE r WHEN who.alternate THEN who.base ELSE r END)), ', ')
            FROM pg_catalog.unnest(p.polroles) r))
  FROM who, pg_catalog.pg_policy p,
    pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, p.polrelid, 0) i
  WHERE who.alternate = ANY (p.polroles) AND NOT EXISTS (
    SELECT FROM pg_catalog.unnest(p.polroles) r WHERE pg_catalog.pg_has_role(who.base, r, 'USAGE'))
  UNION ALL
  SELECT 5, 'run', pg_catalog.format('REASSIGN OWNED BY %%I TO %%I', old, new)
  FROM who WHERE EXISTS (
    SELECT FROM dep WHERE deptype = 'o' AND classid NOT IN (
      'pg_catalog.pg_default_acl'::regclass, 'pg_catalog.pg_user_mapping'::regclass))
  UNION ALL
  SELECT 6, 'see', pg_catalog.format('CREATE USER MAPPING FOR %%I SERVER %%I, with the OPTIONS of'
           ' %%I, which may hold a password', new, m.srvname, old)
  FROM who JOIN pg_catalog.pg_user_mappings m ON m.umuser = who.alternate
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_user_mappings o
                    WHERE o.umuser = who.base AND o.srvid = m.srvid)
  UNION ALL
  SELECT 7, 'see', pg_catalog.format('give %%I what %%I has on the %%s', new, old,
           pg_catalog.pg_describe_object(dep.classid, dep.objid, 0))
  FROM who, dep WHERE dep.deptype NOT IN ('o', 'r', 'i')
    AND dep.classid <> 'pg_catalog.pg_default_acl'::regclass
    AND dep.classid NOT IN (SELECT classid FROM acl)
  UNION ALL
  SELECT 8, 'drop', pg_catalog.format('DROP OWNED BY %%I', old)
  FROM who WHERE EXISTS (
    SELECT FROM dep WHERE deptype <> 'a' OR classid NOT IN (SELECT classid FROM acl)
      OR (classid, objid) IN (SELECT classid, objid FROM granted)))
SELECT kind, said FROM found ORDER BY rank, said
"""
# The catalog, the class that its dependencies go by, GRANT's word for it, its column.
_ACLS = (
    ("pg_namespace", "pg_namespace", "SCHEMA", "nspacl"),
    ("pg_proc", "pg_proc", "ROUTINE", "proacl"),
    ("pg_type", "pg_type", "TYPE", "typacl"),
    ("pg_language", "pg_language", "LANGUAGE", "lanacl"),
    ("pg_foreign_data_wrapper", "pg_foreign_data_wrapper", "FOREIGN DATA WRAPPER", "fdwacl"),
    ("pg_foreign_server", "pg_foreign_server", "FOREIGN SERVER", "srvacl"),
    ("pg_database", "pg_database", "DATABASE", "datacl"),
    ("pg_tablespace", "pg_tablespace", "TABLESPACE", "spcacl"),
    ("pg_largeobject_metadata", "pg_largeobject", "LARGE OBJECT", "lomacl"),
    ("pg_parameter_acl", "pg_parameter_acl", "PARAMETER", "paracl"),
)
_ACL = """
  UNION ALL SELECT 'pg_catalog.{classid}'::regclass, oid, NULL, '{kind}', {acl}
  FROM pg_catalog.{catalog}"""
_PARAMETERS_SINCE = 15
# Whether what ``o`` grants reaches the receiver.
_HAS = """(CASE WHEN 0 IN (o.grantee, w.receiver) THEN o.grantee = 0
           ELSE pg_catalog.pg_has_role(w.receiver, o.grantee, 'USAGE') END)"""
_RECEIVER = """CASE w.receiver WHEN 0 THEN 'PUBLIC'
           ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(w.receiver)) END"""
# What the maker's new objects grant: built in unless altered, and what the schema adds.
_EFFECTIVE = """
    SELECT g.defaclacl AS acl FROM pg_catalog.pg_default_acl g
    WHERE g.defaclrole = w.maker AND g.defaclobjtype = w.defaclobjtype
      AND g.defaclnamespace IN (0, w.defaclnamespace)
    UNION ALL SELECT pg_catalog.acldefault(k.kind, w.maker) WHERE NOT EXISTS (
      SELECT FROM pg_catalog.pg_default_acl g WHERE g.defaclrole = w.maker
        AND g.defaclobjtype = w.defaclobjtype AND g.defaclnamespace = 0)"""


def strays(major: int) -> str:
    """The question what the alternate has of its own here; its values are both names."""
    acls = "".join(
        _ACL.format(catalog=catalog, classid=classid, kind=kind, acl=acl)
        for catalog, classid, kind, acl in _ACLS
        if kind != "PARAMETER" or major >= _PARAMETERS_SINCE
    )
    return _STRAYS.format(acls=acls, has=_HAS, receiver=_RECEIVER, effective=_EFFECTIVE)
