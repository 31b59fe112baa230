-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
SELECT limit FROM sys.user_password_limits WHERE resource_name = 'PASSWORD_ROLLOVER_TIME';
-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
-- new password, by the protocol;
-- as APP
SELECT USER FROM sys.dual;

-- the next rotation
-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
SELECT 1 FROM sys.session_privs WHERE privilege = 'ALTER USER';
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
SELECT limit FROM sys.user_password_limits WHERE resource_name = 'PASSWORD_ROLLOVER_TIME';
-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
-- new password, by the protocol;
-- as ADMIN
ALTER USER "APP" EXPIRE PASSWORD ROLLOVER PERIOD;
-- as APP
-- new password, by the protocol;
-- as APP
SELECT USER FROM sys.dual;
