-- first
{"login": "app", "database": "admin", "by": "SCRAM-SHA-256"}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"updateUser": "app", "pwd": "xxx"}}
{"login": "app", "database": "admin", "by": "SCRAM-SHA-256"}
{"database": "admin", "command": {"connectionStatus": 1}}
-- second
{"login": "app", "database": "admin", "by": "SCRAM-SHA-256"}
{"database": "admin", "command": {"usersInfo": "app"}}
{"database": "admin", "command": {"updateUser": "app", "pwd": "xxx"}}
{"login": "app", "database": "admin", "by": "SCRAM-SHA-256"}
{"database": "admin", "command": {"connectionStatus": 1}}
