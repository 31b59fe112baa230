"""What is asked of Oracle's dictionary. Every user may ask about itself, an admin about anybody."""

from __future__ import annotations

# Since when there are privileges on whole schemas, and the views of them.
_SCHEMA_PRIVILEGES = (23,)

# Everything about one user in one answer: what kind of row, and six texts.
_RIGHTS = """
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.{whose}_role_privs WHERE {user} = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.{whose}_sys_privs WHERE {user} = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.{whose}_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.{whose}_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.{whose}_ts_quotas WHERE dropped = 'NO' AND {space_of}
"""
_OF_SCHEMAS = """\
UNION ALL SELECT 'schema', privilege, admin_option, schema, '', '', ''
  FROM sys.{whose}_schema_privs WHERE {user} = :6
"""
_HELD = """
WITH held (name) AS (
  SELECT CAST(:1 AS VARCHAR2(128)) FROM sys.dual
  UNION ALL SELECT granted_role FROM held JOIN sys.dba_role_privs ON grantee = name)
SELECT 'role', name FROM held
UNION SELECT 'system', privilege FROM held JOIN sys.dba_sys_privs ON grantee = name
UNION SELECT 'file', username FROM sys.v_$pwfile_users WHERE username = :2
"""
_HELD_ON_SCHEMAS = """\
UNION SELECT 'schema', privilege FROM held JOIN sys.dba_schema_privs ON grantee = name
"""
BEYOND = """
SELECT 'proxy ' || proxy || ' for ' || client FROM sys.proxy_users WHERE proxy = :1 OR client = :2
UNION ALL SELECT 'consumer group ' || granted_group
  FROM sys.dba_rsrc_consumer_group_privs WHERE grantee = :3
UNION ALL SELECT 'network access to ' || host || ' (' || privilege || ')'
  FROM sys.dba_host_aces WHERE principal = :4
"""


def of_anybody(version: tuple[int, ...]) -> str:
    """The rights of one user, as an admin sees them; the name is every bind."""
    return _rights(version, whose="dba", user="grantee", space_of="username = :5")


def of_oneself(version: tuple[int, ...]) -> str:
    """The same, as the user itself does."""
    return _rights(version, whose="user", user="username", space_of=":5 IS NOT NULL")


def held(version: tuple[int, ...]) -> str:
    """What a user has by itself or by its roles; the name is every bind."""
    return _HELD + _HELD_ON_SCHEMAS if version >= _SCHEMA_PRIVILEGES else _HELD


def _rights(version: tuple[int, ...], **names: str) -> str:
    whole = _RIGHTS + _OF_SCHEMAS if version >= _SCHEMA_PRIVILEGES else _RIGHTS
    return whole.format(**names)
