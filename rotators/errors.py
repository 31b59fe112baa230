"""Every error that a rotation can end with.

RotationError
├── PermanentError            the same event fails again until somebody acts
│   ├── InvalidEvent          the event is not one that Secrets Manager sends
│   ├── InvalidSetting        an environment variable of the function
│   ├── RotationRejected      the version's labels, or the secret, do not admit this step
│   ├── MisconfiguredSecret   the secret's value
│   │   └── UnknownEngine     … names an engine that no rotator is registered for
│   ├── DriverMissing         the engine's driver is not in this installation
│   ├── StrategyUnavailable   the engine lacks an ability that the strategy needs
│   ├── ForbiddenTarget       what the rotation may not touch, by rule
│   ├── LoginRefused          the server refused a password, a key or a token
│   ├── AccountLocked         the account may not log in, whatever the password
│   ├── UntrustedServer       TLS, or the way of logging in, proves nothing
│   ├── PermissionMissing     on the server
│   ├── ReadOnlyServer        a replica or standby
│   ├── VerifierRefused       the server wants cleartext, which is never sent
│   ├── ValueRefused          the server's policy refuses the new value
│   ├── ValueRejected         … which is known not to be in place: AWSPENDING was taken from it
│   ├── ReauthorizationRequired  a provider's credential that only a person can renew
│   ├── AccessDenied          to Secrets Manager, the KMS key or the RDS API
│   └── UnexpectedError       none of the above: a defect
└── TransientError            may pass by itself; Secrets Manager's retry is the cure
    ├── ServerUnreachable     network, time-out, or a server that turns sessions away
    ├── ServiceUnavailable    Secrets Manager, the RDS API or a provider
    ├── AnswerLost            a provider was asked, and its answer did not arrive
    ├── ValueNotReadable      a staged value that cannot be read yet
    └── DeadlineExceeded      the invocation's time is used up

An error says who (``about``), what was found and what to do, never a secret value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Self

Scrub = Callable[[str], str]


class RotationError(Exception):
    """Base of all. ``found`` is a sentence without its full stop, ``cure`` what a person can do."""

    permanent: ClassVar[bool] = True

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(found, cure)
        self.found = found
        self.cure = cure
        self.who: dict[str, str] = {}
        self._reason = ""

    @property
    def reason(self) -> str:
        """The code that logs and metrics carry: the class's name in kebab-case."""
        name = type(self).__name__
        return self._reason or re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()

    def about(self, **who: str | None) -> Self:
        """Adds who it is about. The innermost word wins, so callers may add on the way up."""
        for key, value in who.items():
            if value is not None:
                self.who.setdefault(key, value)
        return self

    def scrubbed(self, scrub: Scrub) -> RotationError:
        """The same error with every text passed through ``scrub``: no cause, no context.

        Of somebody else's class, what it adds may hold anything, and be needed to show it: the
        error is of the nearest class here, with the other's reason.
        """
        kind = next(kind for kind in type(self).__mro__ if kind.__module__ == __name__)
        if kind is RotationError:
            kind = PermanentError if self.permanent else TransientError
        error: RotationError = kind(scrub(self.found), scrub(self.cure))
        error._reason = self.reason
        return error.about(**{key: scrub(value) for key, value in self.who.items()})

    def __str__(self) -> str:
        who = ", ".join(f"{key} {value!r}" for key, value in self.who.items())
        return f"{who + ': ' if who else ''}{self.found}. {self.cure}"


class PermanentError(RotationError):
    """The same event fails again until somebody acts."""


class TransientError(RotationError):
    """May pass by itself: Secrets Manager's retry of the rotation is the cure."""

    permanent = False


class InvalidEvent(PermanentError):
    """The event is not one that Secrets Manager sends."""


class InvalidSetting(PermanentError):
    """An environment variable of the function has a value that means nothing."""


class RotationRejected(PermanentError):
    """The version's labels, or the secret, do not admit this step."""


class MisconfiguredSecret(PermanentError):
    """The secret's value cannot be used."""


class UnknownEngine(MisconfiguredSecret):
    """The secret names an engine that no rotator is registered for, or that is not allowed here."""


class DriverMissing(PermanentError):
    """The engine's driver is not in this installation."""


class StrategyUnavailable(PermanentError):
    """The engine lacks an ability that the strategy needs."""


class ForbiddenTarget(PermanentError):
    """The rotation would touch a host or user that does not belong to this secret."""


class LoginRefused(PermanentError):
    """The server refused the password, key or token.

    The only outcome of a login that moves on to another.
    """


class AccountLocked(PermanentError):
    """The account may not log in at present, whatever the password."""


class UntrustedServer(PermanentError):
    """The server's identity could not be verified, or it lets everybody in."""


class PermissionMissing(PermanentError):
    """The login may not do what the rotation needs."""


class ReadOnlyServer(PermanentError):
    """The secret's host takes no changes: a replica or standby."""


class VerifierRefused(PermanentError):
    """The server refuses password verifiers, and cleartext is never sent in a statement."""


class ValueRefused(PermanentError):
    """The server's policy refuses the new value. It may be in place all the same."""


class ValueRejected(PermanentError):
    """The server's policy refuses the new value, it is not in place, and AWSCURRENT still works.

    The dispatcher, and only it, answers by taking AWSPENDING from the version.
    """


class ReauthorizationRequired(PermanentError):
    """The provider renews this credential no more: a person has to authorise anew.

    No retry asks the provider again, until AWSCURRENT is another version.
    """


class AccessDenied(PermanentError):
    """The function's role may not do this in AWS, or not use the KMS key."""


class UnexpectedError(PermanentError):
    """A defect, in the rotator or in what it stands on."""


class ServerUnreachable(TransientError):
    """No session: network, name resolution, time-out, or a server that turns sessions away."""


class ServiceUnavailable(TransientError):
    """Secrets Manager, the RDS API or a provider did not answer, or asked to slow down."""


class AnswerLost(TransientError):
    """A provider was asked, and its answer did not arrive: whether it acted is not known."""


class ValueNotReadable(TransientError):
    """A value that should be staged cannot be read (yet)."""


class DeadlineExceeded(TransientError):
    """The invocation's time is used up."""


class VersionNotFound(LookupError):
    """Secrets Manager holds no such version, or the version has no value. Never leaves the core."""


class VersionExists(Exception):
    """The version already has another value. Never leaves the core."""
