"""For testing rotators, ours and yours. Comes with the extra ``testing``.

simulator     a strict AWS Secrets Manager on a loopback port, for an unmodified boto3
driver        Secrets Manager's part in a rotation: retries, duplicates, cancellations, …
crashes       a crash before and after every effect, as an exception or as a SIGKILL
contract      what every rotator of passwords has to hold: subclass it, and be proven
issued        the same for every rotator of what a provider issues
bench         simulator, driver and dispatcher joined for one test
memory        a database in memory and its rotator
twitter       a fake X: bearers, refresh tokens of one use, and what goes wrong with them
postgresql    a real PostgreSQL server for the length of a ``with``
certificates  throw-away TLS material
"""
