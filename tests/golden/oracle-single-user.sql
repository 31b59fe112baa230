-- as APP
-- new password, by the protocol;
-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
SELECT USER FROM sys.dual;

-- the next rotation
-- as APP
-- new password, by the protocol;
-- as APP
SELECT account_status FROM sys.user_users WHERE username = :1;
-- as APP
SELECT USER FROM sys.dual;
