-- as APP
SELECT USER FROM sys.dual;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
WITH held (name) AS (
  SELECT CAST(:1 AS VARCHAR2(128)) FROM sys.dual
  UNION ALL SELECT granted_role FROM held JOIN sys.dba_role_privs ON grantee = name)
SELECT 'role', name FROM held
UNION SELECT 'system', privilege FROM held JOIN sys.dba_sys_privs ON grantee = name
UNION SELECT 'file', username FROM sys.v_$pwfile_users WHERE username = :2;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
SELECT object_type, COUNT(*) FROM sys.dba_objects WHERE owner = :1 GROUP BY object_type;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
CREATE USER "APP_CLONE" IDENTIFIED BY "<password>" DEFAULT TABLESPACE "USERS" TEMPORARY TABLESPACE "TEMP" PROFILE "DEFAULT";
-- as ADMIN
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.dba_role_privs WHERE grantee = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.dba_sys_privs WHERE grantee = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.dba_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.dba_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.dba_ts_quotas WHERE dropped = 'NO' AND username = :5;
-- as ADMIN
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.dba_role_privs WHERE grantee = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.dba_sys_privs WHERE grantee = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.dba_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.dba_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.dba_ts_quotas WHERE dropped = 'NO' AND username = :5;
-- as ADMIN
GRANT CREATE SESSION TO "APP_CLONE";
-- as ADMIN
GRANT CREATE TABLE TO "APP_CLONE";
-- as ADMIN
GRANT "READER" TO "APP_CLONE";
-- as ADMIN
GRANT SELECT ON "OWNER"."T" TO "APP_CLONE";
-- as ADMIN
GRANT UPDATE ("X") ON "OWNER"."T" TO "APP_CLONE";
-- as ADMIN
ALTER USER "APP_CLONE" DEFAULT ROLE ALL QUOTA 1048576 ON "USERS";
-- as ADMIN
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.dba_role_privs WHERE grantee = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.dba_sys_privs WHERE grantee = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.dba_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.dba_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.dba_ts_quotas WHERE dropped = 'NO' AND username = :5;
-- as ADMIN
SELECT 'proxy ' || proxy || ' for ' || client FROM sys.proxy_users WHERE proxy = :1 OR client = :2
UNION ALL SELECT 'consumer group ' || granted_group
  FROM sys.dba_rsrc_consumer_group_privs WHERE grantee = :3
UNION ALL SELECT 'network access to ' || host || ' (' || privilege || ')'
  FROM sys.dba_host_aces WHERE principal = :4;
-- as APP_CLONE
SELECT USER FROM sys.dual;
-- as APP
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.user_role_privs WHERE username = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.user_sys_privs WHERE username = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.user_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.user_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.user_ts_quotas WHERE dropped = 'NO' AND :5 IS NOT NULL;
-- as APP_CLONE
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.user_role_privs WHERE username = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.user_sys_privs WHERE username = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.user_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.user_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.user_ts_quotas WHERE dropped = 'NO' AND :5 IS NOT NULL;

-- the next rotation
-- as APP_CLONE
SELECT USER FROM sys.dual;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
WITH held (name) AS (
  SELECT CAST(:1 AS VARCHAR2(128)) FROM sys.dual
  UNION ALL SELECT granted_role FROM held JOIN sys.dba_role_privs ON grantee = name)
SELECT 'role', name FROM held
UNION SELECT 'system', privilege FROM held JOIN sys.dba_sys_privs ON grantee = name
UNION SELECT 'file', username FROM sys.v_$pwfile_users WHERE username = :2;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
WITH held (name) AS (
  SELECT CAST(:1 AS VARCHAR2(128)) FROM sys.dual
  UNION ALL SELECT granted_role FROM held JOIN sys.dba_role_privs ON grantee = name)
SELECT 'role', name FROM held
UNION SELECT 'system', privilege FROM held JOIN sys.dba_sys_privs ON grantee = name
UNION SELECT 'file', username FROM sys.v_$pwfile_users WHERE username = :2;
-- as APP
SELECT USER FROM sys.dual;
-- as ADMIN
ALTER USER "APP" IDENTIFIED BY "<password>";
-- as ADMIN
SELECT account_status FROM sys.dba_users WHERE username = :1;
-- as ADMIN
SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained FROM sys.dba_users WHERE username = :1;
-- as ADMIN
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.dba_role_privs WHERE grantee = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.dba_sys_privs WHERE grantee = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.dba_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.dba_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.dba_ts_quotas WHERE dropped = 'NO' AND username = :5;
-- as ADMIN
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.dba_role_privs WHERE grantee = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.dba_sys_privs WHERE grantee = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.dba_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.dba_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.dba_ts_quotas WHERE dropped = 'NO' AND username = :5;
-- as APP
SELECT USER FROM sys.dual;
-- as APP_CLONE
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.user_role_privs WHERE username = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.user_sys_privs WHERE username = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.user_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.user_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.user_ts_quotas WHERE dropped = 'NO' AND :5 IS NOT NULL;
-- as APP
SELECT 'role', granted_role, admin_option, default_role, '', '', ''
  FROM sys.user_role_privs WHERE username = :1
UNION ALL SELECT 'system', privilege, admin_option, '', '', '', ''
  FROM sys.user_sys_privs WHERE username = :2
UNION ALL SELECT 'object', privilege, owner, table_name, grantable, hierarchy, type
  FROM sys.user_tab_privs WHERE grantee = :3
UNION ALL SELECT 'column', privilege, owner, table_name, grantable, column_name, ''
  FROM sys.user_col_privs WHERE grantee = :4
UNION ALL SELECT 'quota', tablespace_name, TO_CHAR(max_bytes), '', '', '', ''
  FROM sys.user_ts_quotas WHERE dropped = 'NO' AND :5 IS NOT NULL;
