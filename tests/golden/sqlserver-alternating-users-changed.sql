SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
USE [master]
GO
DECLARE @got int;
EXEC @got = sp_getapplock @Resource = N'rotators:a172cedcae47474b615c54d510a5d84a8dea3032', @LockMode = N'Exclusive', @LockOwner = N'Session',
@LockTimeout = 30000; SELECT @got
GO
SELECT 1, u.principal_id, u.name, u.default_schema_name, u.default_language_name, N'', N'', N'',
0, 0, 0 FROM [appdb].sys.database_principals u WHERE u.authentication_type = 2 AND u.name = N'app' UNION ALL
SELECT 0, l.principal_id, N'', N'', N'', l.name, l.default_database_name, l.default_language_name,
l.is_policy_checked, l.is_expiration_checked, CASE WHEN l.sid = SUSER_SID() THEN 1 ELSE 0 END
FROM sys.sql_logins l WHERE l.name = N'app'
GO
SELECT HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION'), HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DATABASE')
GO
SELECT o.owning_principal_id, 101, o.principal_id FROM sys.server_principals o WHERE o.owning_principal_id IN (262) UNION ALL
SELECT o.principal_id, 105, o.endpoint_id FROM sys.endpoints o WHERE o.principal_id IN (262)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM sys.server_permissions p WHERE p.grantee_principal_id IN (262) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (262)
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262)
GO
SELECT 1, u.principal_id, u.name, u.default_schema_name, u.default_language_name, N'', N'', N'',
0, 0, 0 FROM [appdb].sys.database_principals u WHERE u.authentication_type = 2 AND u.name = N'app_clone' UNION ALL
SELECT 0, l.principal_id, N'', N'', N'', l.name, l.default_database_name, l.default_language_name,
l.is_policy_checked, l.is_expiration_checked, CASE WHEN l.sid = SUSER_SID() THEN 1 ELSE 0 END
FROM sys.sql_logins l WHERE l.name = N'app_clone'
GO
SELECT HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DEFINITION'), HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DATABASE')
GO
SELECT o.owning_principal_id, 101, o.principal_id FROM sys.server_principals o WHERE o.owning_principal_id IN (263) UNION ALL
SELECT o.principal_id, 105, o.endpoint_id FROM sys.endpoints o WHERE o.principal_id IN (263)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM sys.server_permissions p WHERE p.grantee_principal_id IN (263) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (263)
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (263)
GO
SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
SELECT 1, u.principal_id, u.name, u.default_schema_name, u.default_language_name, N'', N'', N'',
0, 0, 0 FROM [appdb].sys.database_principals u WHERE u.authentication_type = 2 AND u.name = N'app' UNION ALL
SELECT 0, l.principal_id, N'', N'', N'', l.name, l.default_database_name, l.default_language_name,
l.is_policy_checked, l.is_expiration_checked, CASE WHEN l.sid = SUSER_SID() THEN 1 ELSE 0 END
FROM sys.sql_logins l WHERE l.name = N'app'
GO
SELECT 1, u.principal_id, u.name, u.default_schema_name, u.default_language_name, N'', N'', N'',
0, 0, 0 FROM [appdb].sys.database_principals u WHERE u.authentication_type = 2 AND u.name = N'app_clone' UNION ALL
SELECT 0, l.principal_id, N'', N'', N'', l.name, l.default_database_name, l.default_language_name,
l.is_policy_checked, l.is_expiration_checked, CASE WHEN l.sid = SUSER_SID() THEN 1 ELSE 0 END
FROM sys.sql_logins l WHERE l.name = N'app_clone'
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [appdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
SELECT t.name FROM [appdb].sys.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, 0)
AND EXISTS (SELECT 1 FROM [appdb].sys.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [otherdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
SELECT t.name FROM [otherdb].sys.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, 0)
AND EXISTS (SELECT 1 FROM [otherdb].sys.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name
GO
SELECT o.owning_principal_id, 101, o.principal_id FROM sys.server_principals o WHERE o.owning_principal_id IN (262, 263) UNION ALL
SELECT o.principal_id, 105, o.endpoint_id FROM sys.endpoints o WHERE o.principal_id IN (262, 263)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM sys.server_permissions p WHERE p.grantee_principal_id IN (262, 263) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (262, 263)
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [appdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
USE [appdb]
GO
SELECT t.name FROM [appdb].sys.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, 0)
AND EXISTS (SELECT 1 FROM [appdb].sys.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name
GO
DECLARE @back varbinary(8000); EXECUTE AS USER = 'dbo' WITH COOKIE INTO @back;
IF @back IS NOT NULL BEGIN ALTER USER [app_clone] WITH DEFAULT_SCHEMA = [s]; REVERT WITH COOKIE = @back END
GO
SELECT o.principal_id, 1, o.object_id FROM [appdb].sys.all_objects o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [appdb].sys.schemas o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [appdb].sys.database_principals o WHERE o.owning_principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [appdb].sys.assemblies o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [appdb].sys.types o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [appdb].sys.xml_schema_collections o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [appdb].sys.service_message_types o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [appdb].sys.service_contracts o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [appdb].sys.services o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [appdb].sys.remote_service_bindings o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [appdb].sys.routes o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [appdb].sys.fulltext_catalogs o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [appdb].sys.symmetric_keys o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [appdb].sys.certificates o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [appdb].sys.asymmetric_keys o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [appdb].sys.fulltext_stoplists o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [appdb].sys.registered_search_property_lists o WHERE o.principal_id IN (7, 8)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [appdb].sys.database_permissions p WHERE p.grantee_principal_id IN (7, 8) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [appdb].sys.database_role_members m JOIN [appdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (7, 8)
GO
USE [appdb]
GO
SELECT t.name FROM [appdb].sys.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, 0)
AND EXISTS (SELECT 1 FROM [appdb].sys.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name
GO
DECLARE @back varbinary(8000); EXECUTE AS USER = 'dbo' WITH COOKIE INTO @back;
IF @back IS NOT NULL BEGIN ALTER ROLE [readers] DROP MEMBER [app_clone]; REVERT WITH COOKIE = @back END
GO
SELECT o.principal_id, 1, o.object_id FROM [appdb].sys.all_objects o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [appdb].sys.schemas o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [appdb].sys.database_principals o WHERE o.owning_principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [appdb].sys.assemblies o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [appdb].sys.types o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [appdb].sys.xml_schema_collections o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [appdb].sys.service_message_types o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [appdb].sys.service_contracts o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [appdb].sys.services o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [appdb].sys.remote_service_bindings o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [appdb].sys.routes o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [appdb].sys.fulltext_catalogs o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [appdb].sys.symmetric_keys o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [appdb].sys.certificates o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [appdb].sys.asymmetric_keys o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [appdb].sys.fulltext_stoplists o WHERE o.principal_id IN (7, 8) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [appdb].sys.registered_search_property_lists o WHERE o.principal_id IN (7, 8)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [appdb].sys.database_permissions p WHERE p.grantee_principal_id IN (7, 8) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [appdb].sys.database_role_members m JOIN [appdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (7, 8)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [otherdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262, 263)
GO
SELECT o.principal_id, 1, o.object_id FROM [otherdb].sys.all_objects o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [otherdb].sys.schemas o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [otherdb].sys.database_principals o WHERE o.owning_principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [otherdb].sys.assemblies o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [otherdb].sys.types o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [otherdb].sys.xml_schema_collections o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [otherdb].sys.service_message_types o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [otherdb].sys.service_contracts o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [otherdb].sys.services o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [otherdb].sys.remote_service_bindings o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [otherdb].sys.routes o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [otherdb].sys.fulltext_catalogs o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [otherdb].sys.symmetric_keys o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [otherdb].sys.certificates o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [otherdb].sys.asymmetric_keys o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [otherdb].sys.fulltext_stoplists o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [otherdb].sys.registered_search_property_lists o WHERE o.principal_id IN (6, 7)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [otherdb].sys.database_permissions p WHERE p.grantee_principal_id IN (6, 7) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [otherdb].sys.database_role_members m JOIN [otherdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (6, 7)
GO
USE [otherdb]
GO
SELECT t.name FROM [otherdb].sys.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, 0)
AND EXISTS (SELECT 1 FROM [otherdb].sys.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name
GO
DECLARE @back varbinary(8000); EXECUTE AS USER = 'dbo' WITH COOKIE INTO @back;
IF @back IS NOT NULL BEGIN ALTER ROLE [db_datareader] ADD MEMBER [app_clone]; REVERT WITH COOKIE = @back END
GO
SELECT o.principal_id, 1, o.object_id FROM [otherdb].sys.all_objects o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [otherdb].sys.schemas o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [otherdb].sys.database_principals o WHERE o.owning_principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [otherdb].sys.assemblies o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [otherdb].sys.types o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [otherdb].sys.xml_schema_collections o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [otherdb].sys.service_message_types o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [otherdb].sys.service_contracts o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [otherdb].sys.services o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [otherdb].sys.remote_service_bindings o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [otherdb].sys.routes o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [otherdb].sys.fulltext_catalogs o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [otherdb].sys.symmetric_keys o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [otherdb].sys.certificates o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [otherdb].sys.asymmetric_keys o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [otherdb].sys.fulltext_stoplists o WHERE o.principal_id IN (6, 7) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [otherdb].sys.registered_search_property_lists o WHERE o.principal_id IN (6, 7)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [otherdb].sys.database_permissions p WHERE p.grantee_principal_id IN (6, 7) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [otherdb].sys.database_role_members m JOIN [otherdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (6, 7)
GO
ALTER LOGIN [app_clone] WITH PASSWORD = N'<password>'
GO
SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (263)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [appdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (263)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [otherdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (263)
GO
SELECT o.owning_principal_id, 101, o.principal_id FROM sys.server_principals o WHERE o.owning_principal_id IN (263) UNION ALL
SELECT o.principal_id, 105, o.endpoint_id FROM sys.endpoints o WHERE o.principal_id IN (263)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM sys.server_permissions p WHERE p.grantee_principal_id IN (263) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (263)
GO
SELECT o.principal_id, 1, o.object_id FROM [appdb].sys.all_objects o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [appdb].sys.schemas o WHERE o.principal_id IN (8) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [appdb].sys.database_principals o WHERE o.owning_principal_id IN (8) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [appdb].sys.assemblies o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [appdb].sys.types o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [appdb].sys.xml_schema_collections o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [appdb].sys.service_message_types o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [appdb].sys.service_contracts o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [appdb].sys.services o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [appdb].sys.remote_service_bindings o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [appdb].sys.routes o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [appdb].sys.fulltext_catalogs o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [appdb].sys.symmetric_keys o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [appdb].sys.certificates o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [appdb].sys.asymmetric_keys o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [appdb].sys.fulltext_stoplists o WHERE o.principal_id IN (8) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [appdb].sys.registered_search_property_lists o WHERE o.principal_id IN (8)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [appdb].sys.database_permissions p WHERE p.grantee_principal_id IN (8) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [appdb].sys.database_role_members m JOIN [appdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (8)
GO
SELECT o.principal_id, 1, o.object_id FROM [otherdb].sys.all_objects o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [otherdb].sys.schemas o WHERE o.principal_id IN (7) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [otherdb].sys.database_principals o WHERE o.owning_principal_id IN (7) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [otherdb].sys.assemblies o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [otherdb].sys.types o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [otherdb].sys.xml_schema_collections o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [otherdb].sys.service_message_types o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [otherdb].sys.service_contracts o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [otherdb].sys.services o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [otherdb].sys.remote_service_bindings o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [otherdb].sys.routes o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [otherdb].sys.fulltext_catalogs o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [otherdb].sys.symmetric_keys o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [otherdb].sys.certificates o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [otherdb].sys.asymmetric_keys o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [otherdb].sys.fulltext_stoplists o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [otherdb].sys.registered_search_property_lists o WHERE o.principal_id IN (7)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [otherdb].sys.database_permissions p WHERE p.grantee_principal_id IN (7) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [otherdb].sys.database_role_members m JOIN [otherdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (7)
GO
SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [master].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [appdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262)
GO
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM [otherdb].sys.database_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN (262)
GO
SELECT o.owning_principal_id, 101, o.principal_id FROM sys.server_principals o WHERE o.owning_principal_id IN (262) UNION ALL
SELECT o.principal_id, 105, o.endpoint_id FROM sys.endpoints o WHERE o.principal_id IN (262)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM sys.server_permissions p WHERE p.grantee_principal_id IN (262) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (262)
GO
SELECT o.principal_id, 1, o.object_id FROM [appdb].sys.all_objects o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [appdb].sys.schemas o WHERE o.principal_id IN (7) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [appdb].sys.database_principals o WHERE o.owning_principal_id IN (7) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [appdb].sys.assemblies o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [appdb].sys.types o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [appdb].sys.xml_schema_collections o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [appdb].sys.service_message_types o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [appdb].sys.service_contracts o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [appdb].sys.services o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [appdb].sys.remote_service_bindings o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [appdb].sys.routes o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [appdb].sys.fulltext_catalogs o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [appdb].sys.symmetric_keys o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [appdb].sys.certificates o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [appdb].sys.asymmetric_keys o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [appdb].sys.fulltext_stoplists o WHERE o.principal_id IN (7) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [appdb].sys.registered_search_property_lists o WHERE o.principal_id IN (7)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [appdb].sys.database_permissions p WHERE p.grantee_principal_id IN (7) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [appdb].sys.database_role_members m JOIN [appdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (7)
GO
SELECT o.principal_id, 1, o.object_id FROM [otherdb].sys.all_objects o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 3, o.schema_id FROM [otherdb].sys.schemas o WHERE o.principal_id IN (6) UNION ALL
SELECT o.owning_principal_id, 4, o.principal_id FROM [otherdb].sys.database_principals o WHERE o.owning_principal_id IN (6) UNION ALL
SELECT o.principal_id, 5, o.assembly_id FROM [otherdb].sys.assemblies o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 6, o.user_type_id FROM [otherdb].sys.types o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 10, o.xml_collection_id FROM [otherdb].sys.xml_schema_collections o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 15, o.message_type_id FROM [otherdb].sys.service_message_types o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 16, o.service_contract_id FROM [otherdb].sys.service_contracts o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 17, o.service_id FROM [otherdb].sys.services o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 18, o.remote_service_binding_id FROM [otherdb].sys.remote_service_bindings o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 19, o.route_id FROM [otherdb].sys.routes o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 23, o.fulltext_catalog_id FROM [otherdb].sys.fulltext_catalogs o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 24, o.symmetric_key_id FROM [otherdb].sys.symmetric_keys o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 25, o.certificate_id FROM [otherdb].sys.certificates o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 26, o.asymmetric_key_id FROM [otherdb].sys.asymmetric_keys o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 29, o.stoplist_id FROM [otherdb].sys.fulltext_stoplists o WHERE o.principal_id IN (6) UNION ALL
SELECT o.principal_id, 31, o.property_list_id FROM [otherdb].sys.registered_search_property_lists o WHERE o.principal_id IN (6)
GO
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM [otherdb].sys.database_permissions p WHERE p.grantee_principal_id IN (6) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM [otherdb].sys.database_role_members m JOIN [otherdb].sys.database_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN (6)
GO
