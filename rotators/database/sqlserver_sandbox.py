"""Changes that an admin makes in a database whose owners may be anybody.

A DDL trigger runs with the rights of whoever made the change ("Manage trigger security"), so one
that a database's owners left there could reset anybody's login. Where our changes would fire one,
the database is left alone. One that is made between the look and the change finds a user that is
nobody outside: what EXECUTE AS USER may ends at the database ("Understanding Impersonation Scope"),
and nobody without the cookie ends it ("REVERT").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.database.sqlserver_statements import Sql, compose, quoted

if TYPE_CHECKING:
    from rotators.database.sqlserver_catalog import Catalog, Database, Run

# Without the IF, the statement would still run, as the admin, where EXECUTE AS fails.
_AS_DBO = """DECLARE @back varbinary(8000); EXECUTE AS USER = 'dbo' WITH COOKIE INTO @back;
IF @back IS NOT NULL BEGIN {}; REVERT WITH COOKIE = @back END"""


class Sandbox:
    """Where one session of an admin makes its changes: one place after the other."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self._catalog = catalog
        self._run = run
        self._at: Database | None = None

    def enter(self, database: Database | None) -> None:
        """Rights on a database can only be given in it, those on the server (None) in master.

        Raises ForbiddenTarget if changes in the database would run somebody else's code.
        """
        self._run("USE {}", quoted(database.name if database else "master"))
        self._at = database
        if database and (triggers := self._catalog.triggers(database)):
            raise database.refused(triggers)

    def change(self, statement: str, *parts: object) -> None:
        """One statement in the place that was entered last."""
        self._run("{}", self.wrapped(statement, *parts))

    def wrapped(self, statement: str, *parts: object) -> Sql:
        """The statement as it may be run there."""
        composed = Sql(compose(statement, *parts))
        # In a TRUSTWORTHY database, dbo would be its owner to the whole server.
        if self._at is None or self._at.leads_outside:
            return composed
        return Sql(compose(_AS_DBO, composed))
