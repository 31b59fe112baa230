"""For testing rotators, ours and yours. Comes with the extra ``testing``.

simulator     a strict AWS Secrets Manager on a loopback port, for an unmodified boto3
driver        Secrets Manager's part in a rotation: retries, duplicates, cancellations, …
crashes       a crash before and after every effect, as an exception or as a SIGKILL
contract      what every rotator of passwords has to hold: subclass it, and be proven
bench         simulator, driver and dispatcher joined for one test
memory        a database in memory and its rotator
postgresql    a real PostgreSQL server for the length of a ``with``
certificates  throw-away TLS material
"""
