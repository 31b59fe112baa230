SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
ALTER LOGIN [app] WITH PASSWORD = N'<password>' OLD_PASSWORD = N'<password>'
GO
SET LOCK_TIMEOUT 30000
GO
use [appdb]
GO
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)
GO
