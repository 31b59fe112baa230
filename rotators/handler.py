"""The Lambda function. The only place where the parts are chosen and joined.

Importing it loads neither boto3 nor any driver.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable
from functools import cache

from rotators import aws, target
from rotators.deadline import Deadline
from rotators.dispatcher import Dispatcher
from rotators.errors import InvalidSetting, RotationError, UnexpectedError
from rotators.redaction import Redactor, scrubbing
from rotators.registry import Registry
from rotators.request import RotationRequest
from rotators.settings import Settings
from rotators.telemetry import Telemetry
from rotators.versions import SecretsManager

# For a context that does not say how long the invocation may last.
_DEFAULT_SECONDS = 30.0


def lambda_handler(event: object, context: object) -> None:
    """Serves one step of a rotation.

    Repeatable. Raises RotationError, whose text is free of secret values and which carries no
    cause: the Lambda runtime prints what it gets.
    """
    serve(event, context, dispatcher)


@cache
def dispatcher() -> Dispatcher:
    """This sandbox's dispatcher, with its one boto3 client. Raises InvalidSetting."""
    target.check()
    settings = Settings.from_environ(os.environ)
    registry = Registry().allowing(settings.engines)
    return Dispatcher(secrets_manager(settings), registry, settings)


def secrets_manager(settings: Settings) -> SecretsManager:
    """Secrets Manager through a new boto3 client, every wait of which is bounded."""
    from botocore.exceptions import NoRegionError

    # At DEBUG it logs whole answers, before the redactor knows which values are in them; at INFO
    # where it has its credentials from, each time.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        return SecretsManager(aws.client("secretsmanager", settings.endpoint_url))
    except NoRegionError:
        cure = "Set AWS_DEFAULT_REGION; Lambda does."
        raise InvalidSetting("no AWS Region is set", cure) from None


def serve(event: object, context: object, choose: Callable[[], Dispatcher]) -> None:
    """``lambda_handler`` with a dispatcher of the caller's choice."""
    redactor = Redactor()
    telemetry = Telemetry()
    failure: RotationError | None = None
    trace: str | None = None
    request: RotationRequest | None = None
    with scrubbing(redactor):
        try:
            deadline = Deadline.after(_seconds(context))
            request = RotationRequest.from_event(event)
            telemetry.about(request)
            redactor.hide([request.rotation_token or ""])
            outcome = choose().dispatch(request, deadline, redactor, telemetry.say)
        except RotationError as error:
            failure = error.scrubbed(redactor.scrub)
        except Exception as error:  # noqa: BLE001 nothing may leave unscrubbed
            failure = _defect(error).about(secret=request.secret_id if request else None)
            trace = redactor.scrub(traceback.format_exc())
        if failure is None:
            telemetry.succeeded(outcome)
        else:
            telemetry.failed(failure, trace)
    # Outside of every except clause, so that the error has no __context__ that shows a value.
    if failure is not None:
        raise failure


def _seconds(context: object) -> float:
    milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    return milliseconds() / 1000 if milliseconds else _DEFAULT_SECONDS


def _defect(error: Exception) -> RotationError:
    # Its text may hold anything; the log has it, scrubbed.
    return UnexpectedError(
        f"a defect: {type(error).__name__}",
        "The function's log has the traceback. Report it; secret values were taken out.",
    )
