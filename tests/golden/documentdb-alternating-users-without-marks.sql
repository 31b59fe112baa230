-- first
{"login": "app", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"login": "admin", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"rolesInfo": [{"role": "changesOwnPassword", "db": "admin"}], "showPrivileges": true}}
{"database": "admin", "command": {"usersInfo": "app_clone"}}
{"database": "admin", "command": {"usersInfo": "app", "showAuthenticationRestrictions": true}}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"updateUser": "app", "customData": {"rotators": {"secret": "SECRET", "base": "app", "alternate": "app_clone"}}}}
{"database": "admin", "command": {"usersInfo": "app_clone", "showAuthenticationRestrictions": true}}
{"database": "admin", "command": {"usersInfo": "app_clone"}}
{"database": "admin", "command": {"createUser": "app_clone", "pwd": "xxx", "roles": [{"role": "readWrite", "db": "app"}, {"role": "read", "db": "reports"}, {"role": "changesOwnPassword", "db": "admin"}]}}
{"login": "app_clone", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"login": "app", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"database": "admin", "command": {"connectionStatus": 1}}
-- second
{"login": "app_clone", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"login": "admin", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"rolesInfo": [{"role": "changesOwnPassword", "db": "admin"}], "showPrivileges": true}}
{"database": "admin", "command": {"usersInfo": "app_clone"}}
{"database": "admin", "command": {"rolesInfo": [{"role": "changesOwnPassword", "db": "admin"}], "showPrivileges": true}}
{"login": "app", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"database": "admin", "command": {"usersInfo": "app", "showAuthenticationRestrictions": true}}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"updateUser": "app", "customData": {"rotators": {"secret": "SECRET", "base": "app", "alternate": "app_clone"}}}}
{"database": "admin", "command": {"usersInfo": "app_clone"}}
{"database": "admin", "command": {"updateUser": "app", "pwd": "xxx"}}
{"login": "app", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"login": "app_clone", "database": "admin", "by": "SCRAM-SHA-1"}
{"database": "admin", "command": {"connectionStatus": 1}}
{"database": "admin", "command": {"connectionStatus": 1}}
