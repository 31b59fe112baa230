"""Admits a step, runs the rotator's hook, records the result.

The labels of the event's version decide, and nothing else is remembered:

===================================  ===============  ===================  =====================
the version is                       createSecret     setSecret,           finishSecret
                                                      testSecret
===================================  ===============  ===================  =====================
AWSCURRENT (AWSPENDING or not;       nothing to do    nothing to do        the rotator's finish
this row wins)                                                             again
AWSPENDING                           run; a value     run                  promote, then finish;
                                     staged already                        rejected if it has no
                                     is kept                               value
anything else (superseded), or       rejected         rejected             rejected
rotation is off
===================================  ===============  ===================  =====================

testSecret changes nothing, so it reads first and asks for the labels only on a miss: a value that
is AWSPENDING is tested even where rotation is off. It may come alone (RotateImmediately=false),
with AWSCURRENT's value or none: then AWSCURRENT's is proven.

Every write to Secrets Manager is made here. Each step may be delivered twice, also at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotators.deadline import serving
from rotators.errors import RotationError
from rotators.steps import Steps

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.redaction import Redactor
    from rotators.registry import Registry
    from rotators.request import RotationRequest
    from rotators.rotator import Say
    from rotators.settings import Settings
    from rotators.versions import Versions


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to."""

    did: str
    engine: str | None
    strategy: str | None


class Dispatcher:
    """Serves every call of Secrets Manager, whatever the engine. Keeps no state between calls."""

    def __init__(
        self,
        versions: Versions,
        registry: Registry,
        settings: Settings,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.versions = versions
        self.registry = registry
        self.settings = settings
        self.sleep = sleep
        self.clock = clock

    def dispatch(
        self, request: RotationRequest, deadline: Deadline, redactor: Redactor, say: Say
    ) -> Outcome:
        """Runs one step. Repeatable. Raises RotationError."""
        run = Steps(self, request, deadline, redactor, say)
        try:
            with serving(deadline):
                did = run.play()
        except RotationError as error:
            raise error.about(
                secret=request.secret_id, engine=run.engine, strategy=run.strategy
            ) from None
        return Outcome(did, run.engine, run.strategy)
