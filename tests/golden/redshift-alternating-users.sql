-- as app
SET search_path TO pg_catalog;
-- as app
SET enable_case_sensitive_identifier TO true;
-- as app
SET statement_timeout TO MILLISECONDS;
-- as app
SELECT session_user;
-- as admin
SET search_path TO pg_catalog;
-- as admin
SET enable_case_sensitive_identifier TO true;
-- as admin
SET statement_timeout TO MILLISECONDS;
-- as admin
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as admin
SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants WHERE user_name IN ($1, $2);
-- as admin
SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as admin
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as admin
SELECT 'TABLE'::text, n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, array_to_string(c.relacl, chr(31)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') AND (pg_get_userbyid(c.relowner) IN ($1, $2) OR strpos(array_to_string(c.relacl, chr(31)), $3) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' AND substring(c.relname, 1, 8) <> 'mv_tbl__' UNION ALL SELECT 'SCHEMA'::text, NULL::text, n.nspname::text, pg_get_userbyid(n.nspowner)::text, array_to_string(n.nspacl, chr(31)) FROM pg_catalog.pg_namespace n WHERE (pg_get_userbyid(n.nspowner) IN ($4, $5) OR strpos(array_to_string(n.nspacl, chr(31)), $6) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' UNION ALL SELECT 'FUNCTION'::text, NULL::text, textin(regprocedureout(p.oid::regprocedure)), pg_get_userbyid(p.proowner)::text, array_to_string(p.proacl, chr(31)) FROM pg_catalog.pg_proc p WHERE (pg_get_userbyid(p.proowner) IN ($7, $8) OR strpos(array_to_string(p.proacl, chr(31)), $9) > 0) UNION ALL SELECT 'DATABASE'::text, NULL::text, d.datname::text, pg_get_userbyid(d.datdba)::text, array_to_string(d.datacl, chr(31)) FROM pg_catalog.pg_database d WHERE (pg_get_userbyid(d.datdba) IN ($10, $11) OR strpos(array_to_string(d.datacl, chr(31)), $12) > 0) UNION ALL SELECT 'LANGUAGE'::text, NULL::text, l.lanname::text, pg_get_userbyid(1)::text, array_to_string(l.lanacl, chr(31)) FROM pg_catalog.pg_language l WHERE (pg_get_userbyid(1) IN ($13, $14) OR strpos(array_to_string(l.lanacl, chr(31)), $15) > 0);
-- as admin
SELECT schemaname FROM pg_catalog.svv_external_schemas;
-- as admin
SELECT u.usename, g.groname FROM pg_catalog.pg_group g, pg_catalog.pg_user u WHERE u.usename IN ($1, $2) AND u.usesysid = ANY (g.grolist);
-- as admin
SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants WHERE user_name IN ($1, $2);
-- as admin
SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, privilege_type, privilege_scope, namespace_name, admin_option FROM pg_catalog.svv_schema_privileges WHERE privilege_scope <> 'SCHEMA' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, privilege_type, privilege_scope, database_name, admin_option FROM pg_catalog.svv_database_privileges WHERE privilege_scope <> 'DATABASE' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, iam_arn, command_type FROM pg_catalog.svv_iam_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT user_name, connection_limit, syslog_access, session_timeout FROM pg_catalog.svv_user_info WHERE user_name IN ($1, $2);
-- as admin
SELECT identity_name, namespace_name, relation_name, column_name, privilege_type FROM pg_catalog.svv_column_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, namespace_name, model_name, privilege_type, admin_option FROM pg_catalog.svv_ml_model_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT n.nspname, d.defaclobjtype, pg_get_userbyid(d.defacluser)::text, array_to_string(d.defaclacl, chr(31)) FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace WHERE (pg_get_userbyid(d.defacluser) IN ($1, $2) OR strpos(array_to_string(d.defaclacl, chr(31)), $3) > 0);
-- as admin
BEGIN;
-- as admin
CREATE USER "app_clone" PASSWORD 'sha256|DIGEST|SALT';
-- as admin
ALTER USER "app_clone" CONNECTION LIMIT 7;
-- as admin
ALTER USER "app_clone" SET search_path TO "$user", "public";
-- as admin
GRANT USAGE ON SCHEMA "public" TO "app_clone";
-- as admin
GRANT INSERT, SELECT ON TABLE "public"."orders" TO "app_clone";
-- as admin
GRANT SELECT ON TABLE "public"."totals" TO "app_clone" WITH GRANT OPTION;
-- as admin
ALTER USER "app_clone" PASSWORD 'sha256|DIGEST|SALT' VALID UNTIL 'infinity';
-- as admin
COMMIT;
-- as admin
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as admin
SELECT 'TABLE'::text, n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, array_to_string(c.relacl, chr(31)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') AND (pg_get_userbyid(c.relowner) IN ($1, $2) OR strpos(array_to_string(c.relacl, chr(31)), $3) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' AND substring(c.relname, 1, 8) <> 'mv_tbl__' UNION ALL SELECT 'SCHEMA'::text, NULL::text, n.nspname::text, pg_get_userbyid(n.nspowner)::text, array_to_string(n.nspacl, chr(31)) FROM pg_catalog.pg_namespace n WHERE (pg_get_userbyid(n.nspowner) IN ($4, $5) OR strpos(array_to_string(n.nspacl, chr(31)), $6) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' UNION ALL SELECT 'FUNCTION'::text, NULL::text, textin(regprocedureout(p.oid::regprocedure)), pg_get_userbyid(p.proowner)::text, array_to_string(p.proacl, chr(31)) FROM pg_catalog.pg_proc p WHERE (pg_get_userbyid(p.proowner) IN ($7, $8) OR strpos(array_to_string(p.proacl, chr(31)), $9) > 0) UNION ALL SELECT 'DATABASE'::text, NULL::text, d.datname::text, pg_get_userbyid(d.datdba)::text, array_to_string(d.datacl, chr(31)) FROM pg_catalog.pg_database d WHERE (pg_get_userbyid(d.datdba) IN ($10, $11) OR strpos(array_to_string(d.datacl, chr(31)), $12) > 0) UNION ALL SELECT 'LANGUAGE'::text, NULL::text, l.lanname::text, pg_get_userbyid(1)::text, array_to_string(l.lanacl, chr(31)) FROM pg_catalog.pg_language l WHERE (pg_get_userbyid(1) IN ($13, $14) OR strpos(array_to_string(l.lanacl, chr(31)), $15) > 0);
-- as admin
SELECT schemaname FROM pg_catalog.svv_external_schemas;
-- as admin
SELECT u.usename, g.groname FROM pg_catalog.pg_group g, pg_catalog.pg_user u WHERE u.usename IN ($1, $2) AND u.usesysid = ANY (g.grolist);
-- as admin
SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants WHERE user_name IN ($1, $2);
-- as admin
SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, privilege_type, privilege_scope, namespace_name, admin_option FROM pg_catalog.svv_schema_privileges WHERE privilege_scope <> 'SCHEMA' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, privilege_type, privilege_scope, database_name, admin_option FROM pg_catalog.svv_database_privileges WHERE privilege_scope <> 'DATABASE' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, iam_arn, command_type FROM pg_catalog.svv_iam_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT user_name, connection_limit, syslog_access, session_timeout FROM pg_catalog.svv_user_info WHERE user_name IN ($1, $2);
-- as admin
SELECT identity_name, namespace_name, relation_name, column_name, privilege_type FROM pg_catalog.svv_column_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT identity_name, namespace_name, model_name, privilege_type, admin_option FROM pg_catalog.svv_ml_model_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as admin
SELECT n.nspname, d.defaclobjtype, pg_get_userbyid(d.defacluser)::text, array_to_string(d.defaclacl, chr(31)) FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace WHERE (pg_get_userbyid(d.defacluser) IN ($1, $2) OR strpos(array_to_string(d.defaclacl, chr(31)), $3) > 0);
-- as app_clone
SET search_path TO pg_catalog;
-- as app_clone
SET enable_case_sensitive_identifier TO true;
-- as app_clone
SET statement_timeout TO MILLISECONDS;
-- as app_clone
SELECT session_user;
-- as app
SET search_path TO pg_catalog;
-- as app
SET enable_case_sensitive_identifier TO true;
-- as app
SET statement_timeout TO MILLISECONDS;
-- as app
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as app
SELECT 'TABLE'::text, n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, array_to_string(c.relacl, chr(31)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') AND (pg_get_userbyid(c.relowner) IN ($1, $2) OR strpos(array_to_string(c.relacl, chr(31)), $3) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' AND substring(c.relname, 1, 8) <> 'mv_tbl__' UNION ALL SELECT 'SCHEMA'::text, NULL::text, n.nspname::text, pg_get_userbyid(n.nspowner)::text, array_to_string(n.nspacl, chr(31)) FROM pg_catalog.pg_namespace n WHERE (pg_get_userbyid(n.nspowner) IN ($4, $5) OR strpos(array_to_string(n.nspacl, chr(31)), $6) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' UNION ALL SELECT 'FUNCTION'::text, NULL::text, textin(regprocedureout(p.oid::regprocedure)), pg_get_userbyid(p.proowner)::text, array_to_string(p.proacl, chr(31)) FROM pg_catalog.pg_proc p WHERE (pg_get_userbyid(p.proowner) IN ($7, $8) OR strpos(array_to_string(p.proacl, chr(31)), $9) > 0) UNION ALL SELECT 'DATABASE'::text, NULL::text, d.datname::text, pg_get_userbyid(d.datdba)::text, array_to_string(d.datacl, chr(31)) FROM pg_catalog.pg_database d WHERE (pg_get_userbyid(d.datdba) IN ($10, $11) OR strpos(array_to_string(d.datacl, chr(31)), $12) > 0) UNION ALL SELECT 'LANGUAGE'::text, NULL::text, l.lanname::text, pg_get_userbyid(1)::text, array_to_string(l.lanacl, chr(31)) FROM pg_catalog.pg_language l WHERE (pg_get_userbyid(1) IN ($13, $14) OR strpos(array_to_string(l.lanacl, chr(31)), $15) > 0);
-- as app
SELECT schemaname FROM pg_catalog.svv_external_schemas;
-- as app
SELECT u.usename, g.groname FROM pg_catalog.pg_group g, pg_catalog.pg_user u WHERE u.usename IN ($1, $2) AND u.usesysid = ANY (g.grolist);
-- as app
SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants WHERE user_name IN ($1, $2);
-- as app
SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT identity_name, privilege_type, privilege_scope, namespace_name, admin_option FROM pg_catalog.svv_schema_privileges WHERE privilege_scope <> 'SCHEMA' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT identity_name, privilege_type, privilege_scope, database_name, admin_option FROM pg_catalog.svv_database_privileges WHERE privilege_scope <> 'DATABASE' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT identity_name, iam_arn, command_type FROM pg_catalog.svv_iam_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT user_name, connection_limit, syslog_access, session_timeout FROM pg_catalog.svv_user_info WHERE user_name IN ($1, $2);
-- as app
SELECT identity_name, namespace_name, relation_name, column_name, privilege_type FROM pg_catalog.svv_column_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT identity_name, namespace_name, model_name, privilege_type, admin_option FROM pg_catalog.svv_ml_model_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app
SELECT n.nspname, d.defaclobjtype, pg_get_userbyid(d.defacluser)::text, array_to_string(d.defaclacl, chr(31)) FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace WHERE (pg_get_userbyid(d.defacluser) IN ($1, $2) OR strpos(array_to_string(d.defaclacl, chr(31)), $3) > 0);
-- as app_clone
SELECT usename, usesuper, usecreatedb, textin(abstimeout(valuntil)), array_to_string(useconfig, chr(31)) FROM pg_catalog.pg_user WHERE usename IN ($1, $2);
-- as app_clone
SELECT 'TABLE'::text, n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, array_to_string(c.relacl, chr(31)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') AND (pg_get_userbyid(c.relowner) IN ($1, $2) OR strpos(array_to_string(c.relacl, chr(31)), $3) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' AND substring(c.relname, 1, 8) <> 'mv_tbl__' UNION ALL SELECT 'SCHEMA'::text, NULL::text, n.nspname::text, pg_get_userbyid(n.nspowner)::text, array_to_string(n.nspacl, chr(31)) FROM pg_catalog.pg_namespace n WHERE (pg_get_userbyid(n.nspowner) IN ($4, $5) OR strpos(array_to_string(n.nspacl, chr(31)), $6) > 0) AND substring(n.nspname, 1, 7) <> 'pg_temp' UNION ALL SELECT 'FUNCTION'::text, NULL::text, textin(regprocedureout(p.oid::regprocedure)), pg_get_userbyid(p.proowner)::text, array_to_string(p.proacl, chr(31)) FROM pg_catalog.pg_proc p WHERE (pg_get_userbyid(p.proowner) IN ($7, $8) OR strpos(array_to_string(p.proacl, chr(31)), $9) > 0) UNION ALL SELECT 'DATABASE'::text, NULL::text, d.datname::text, pg_get_userbyid(d.datdba)::text, array_to_string(d.datacl, chr(31)) FROM pg_catalog.pg_database d WHERE (pg_get_userbyid(d.datdba) IN ($10, $11) OR strpos(array_to_string(d.datacl, chr(31)), $12) > 0) UNION ALL SELECT 'LANGUAGE'::text, NULL::text, l.lanname::text, pg_get_userbyid(1)::text, array_to_string(l.lanacl, chr(31)) FROM pg_catalog.pg_language l WHERE (pg_get_userbyid(1) IN ($13, $14) OR strpos(array_to_string(l.lanacl, chr(31)), $15) > 0);
-- as app_clone
SELECT schemaname FROM pg_catalog.svv_external_schemas;
-- as app_clone
SELECT u.usename, g.groname FROM pg_catalog.pg_group g, pg_catalog.pg_user u WHERE u.usename IN ($1, $2) AND u.usesysid = ANY (g.grolist);
-- as app_clone
SELECT user_name, role_name, admin_option FROM pg_catalog.svv_user_grants WHERE user_name IN ($1, $2);
-- as app_clone
SELECT identity_type, identity_name, system_privilege FROM pg_catalog.svv_system_privileges WHERE identity_type = 'role' OR identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT identity_name, privilege_type, privilege_scope, namespace_name, admin_option FROM pg_catalog.svv_schema_privileges WHERE privilege_scope <> 'SCHEMA' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT identity_name, privilege_type, privilege_scope, database_name, admin_option FROM pg_catalog.svv_database_privileges WHERE privilege_scope <> 'DATABASE' AND identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT identity_name, iam_arn, command_type FROM pg_catalog.svv_iam_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT user_name, connection_limit, syslog_access, session_timeout FROM pg_catalog.svv_user_info WHERE user_name IN ($1, $2);
-- as app_clone
SELECT identity_name, namespace_name, relation_name, column_name, privilege_type FROM pg_catalog.svv_column_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT identity_name, namespace_name, model_name, privilege_type, admin_option FROM pg_catalog.svv_ml_model_privileges WHERE identity_type = 'user' AND identity_name IN ($1, $2);
-- as app_clone
SELECT n.nspname, d.defaclobjtype, pg_get_userbyid(d.defacluser)::text, array_to_string(d.defaclacl, chr(31)) FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace WHERE (pg_get_userbyid(d.defacluser) IN ($1, $2) OR strpos(array_to_string(d.defaclacl, chr(31)), $3) > 0);
