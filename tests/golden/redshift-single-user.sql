-- as app
SET search_path TO pg_catalog;
-- as app
SET enable_case_sensitive_identifier TO true;
-- as app
SET statement_timeout TO MILLISECONDS;
-- as app
SELECT session_user;
-- as app
ALTER USER "app" PASSWORD 'sha256|DIGEST|SALT';
-- as app
SET search_path TO pg_catalog;
-- as app
SET enable_case_sensitive_identifier TO true;
-- as app
SET statement_timeout TO MILLISECONDS;
-- as app
SELECT session_user;
