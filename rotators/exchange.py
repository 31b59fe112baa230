"""The mark of an exchange with a provider, whose answer may be lost.

A provider that makes the value itself says it once. If the function dies with the answer in its
hands, nothing else tells the next one that the provider was asked. So a tag on the secret does,
left before the provider is asked and taken away when the value is stored. It holds no value: the
id of the version that is AWSCURRENT, whose credential the exchange uses up, tells it from the
mark of an earlier rotation, and from what a person stored since.

Of invocations at once, one asks: each leaves its own mark in the place of the other's, waits, and
goes on only if it is still there (Fischer's mutual exclusion). That holds if no mark comes later
after its writer's look at the tags than the others wait: who is slower looks again, or gives way.
Of invocations one after the other, each looks, once the mark is its own, whether an earlier one
has stored its answer: what it read itself may be older than that.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotators.errors import (
    AnswerLost,
    ReauthorizationRequired,
    RotationError,
    ValueNotReadable,
    VersionNotFound,
)
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.rotator import Say
    from rotators.versions import SecretMetadata, Versions

TAG = "rotators:exchange"

# One to lose the answer, one to find out whether the provider had acted.
TRIES = 2

# An invocation that left a mark is over by its deadline, give or take two machines' clocks.
_CLOCKS_SECONDS = 5
# Lambda's longest invocation: who tags the secret cannot keep it from being rotated.
_LONGEST_SECONDS = 900 + _CLOCKS_SECONDS

# What a mark may come later than the look at the tags before it.
SETTLE_SECONDS = 1.0

AUTHORISE = (
    "If AWSPENDING, or a version without a label, holds a newer value that the provider takes,"
    " label that version AWSCURRENT by hand (update-secret-version-stage). If none does, a person"
    " has to authorise anew at the provider and to store what it answers (put-secret-value). Then"
    " rotate again. AWSCURRENT was left as it is."
)

_MARK = re.compile(
    r"from=(?P<source>\S{32,64}) tries=(?P<tries>[0-9]) until=(?P<until>[0-9]{1,12})"
    r" by=(?P<by>[0-9a-f]{8})(?: proof=(?P<proof>[0-9a-f]{32}))?"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """``source`` is AWSCURRENT's version; ``until``, in seconds since 1970, ends the last try.

    ``by`` tells one invocation from another. Whoever may tag the secret may write a mark, but not
    its ``proof``, which takes the admin's secret.
    """

    source: str
    tries: int
    until: int
    by: str
    proof: str = ""

    @classmethod
    def read(cls, text: str | None) -> Mark | None:
        """A tag's value; None for what is no mark."""
        match = _MARK.fullmatch(text or "")
        if match is None:
            return None
        numbers = int(match["tries"]), int(match["until"])
        return cls(match["source"], *numbers, match["by"], match["proof"] or "")

    def __str__(self) -> str:
        text = f"from={self.source} tries={self.tries} until={self.until} by={self.by}"
        return f"{text} proof={self.proof}" if self.proof else text


class Exchange:
    """One createSecret's exchange. A rotator asks for the mark; the dispatcher settles it."""

    def __init__(
        self,
        versions: Versions,
        secret: SecretMetadata,
        version: str,
        deadline: Deadline,
        say: Say,
        *,
        looked: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._versions = versions
        self._arn = secret.arn
        self._version = version
        self._source = secret.holder(CURRENT) or ""
        self._deadline = deadline
        self._say = say
        # When ``secret`` was asked for, on the deadline's clock.
        self._looked = looked
        self._clock = clock
        self._sleep = sleep
        self._by = os.urandom(4).hex()
        self._standing = self._mark_of(secret)
        self._proof = self._standing.proof if self._standing else ""
        self._spends = True
        self.begun = False

    @property
    def tries(self) -> int:
        """How often it was begun before, with the value that is AWSCURRENT, and not settled."""
        return self._standing.tries if self._standing else 0

    @property
    def proof(self) -> str:
        """What the mark of an earlier try proves itself with; empty without one."""
        return self._standing.proof if self._standing else ""

    @property
    def unrepeatable(self) -> bool:
        """Whether it was begun, and cannot be done twice with this AWSCURRENT."""
        return self.begun and self._spends

    def look(self) -> None:
        """Looks again. Raises ValueNotReadable where another invocation has stored its answer."""
        self._looked = self._deadline.clock()
        self._standing = self._seen()

    def begin(self, *, spends: bool, proof: str = "") -> None:
        """Leaves the mark; where it raises, the provider must not be asked.

        Raises ValueNotReadable where another invocation was faster. With ``spends``, asking twice
        loses the credential: then also while another may be at it, and ReauthorizationRequired
        after enough tries.
        """
        self._spends, self._proof = spends, proof
        if self._since_the_look() > SETTLE_SECONDS / 2:
            self.look()
        if spends:
            if self._standing and 0 < self._standing.until - self._clock() <= _LONGEST_SECONDS:
                raise _under_way()
            if self.tries >= TRIES:
                raise _lost()
        left = self._deadline.remaining("TagResource")
        until = math.ceil(self._clock() + left + _CLOCKS_SECONDS)
        self._leave(self._mark(self._next, until))
        if spends:
            if self._since_the_look() > SETTLE_SECONDS:
                # Another may have seen his own mark, before this one took its place.
                raise _under_way()
            self._sleep(SETTLE_SECONDS)
            mark = self._seen()
            if mark is None or mark.by != self._by:
                raise _under_way()
        self.begun = True

    def fail(self, error: RotationError) -> None:
        """What the mark is to say after ``error``: more, less, or the same. Never raises.

        A lost answer is why there is a mark. Any other error is an answer, as if never asked; but
        where the provider may be asked twice, one answer may have come and another not.
        """
        spent = isinstance(error, ReauthorizationRequired)
        if spent and (self.begun or self.tries < TRIES):
            self._settle(self._mark(TRIES, 0))
        elif self.begun and (isinstance(error, AnswerLost) or not self._spends):
            self.lose()
        elif self.begun and not spent:
            self._settle(self._standing)

    def lose(self) -> None:
        """The answer is lost, and this invocation has ended. Never raises."""
        self._settle(self._mark(self._next, 0))

    def end(self) -> None:
        """Takes the mark away: the value is stored. Never raises."""
        self._settle(None)

    def _since_the_look(self) -> float:
        return self._deadline.clock() - self._looked

    def _seen(self) -> Mark | None:
        secret = self._versions.describe(self._arn)
        if secret.holder(CURRENT) == self._source:
            try:
                self._versions.get(self._arn, version_id=self._version, stage=PENDING)
            except VersionNotFound:
                return self._mark_of(secret)
        raise ValueNotReadable(
            "another invocation of createSecret has stored a value, or a person another AWSCURRENT,"
            " since this one looked: the provider was not asked",
            "Secrets Manager will call again; what is stored counts.",
        )

    def _mark_of(self, secret: SecretMetadata) -> Mark | None:
        mark = Mark.read(secret.tags.get(TAG))
        return mark if mark and mark.source == self._source else None

    def _mark(self, tries: int, until: int) -> Mark:
        return Mark(self._source, tries, until, self._by, self._proof)

    @property
    def _next(self) -> int:
        return min(self.tries + 1, TRIES)

    def _leave(self, mark: Mark) -> None:
        self._versions.tag(self._arn, TAG, str(mark))

    def _settle(self, mark: Mark | None) -> None:
        try:
            if mark:
                self._leave(mark)
            else:
                self._versions.untag(self._arn, TAG)
        except RotationError as error:
            # Once the rotation is through, it names a version that is AWSCURRENT no more.
            self._say(f"the tag {TAG} could not be brought up to date: {error}", warning=True)


def _under_way() -> ValueNotReadable:
    return ValueNotReadable(
        "another invocation of createSecret may be at the provider now, and asking twice loses the"
        " credential",
        "Secrets Manager will call again; what that one obtains counts.",
    )


def _lost() -> ReauthorizationRequired:
    return ReauthorizationRequired(
        "the provider may have been asked before, and has refused AWSCURRENT's value, or its answer"
        " was never stored: AWSCURRENT's may be used up",
        f"{AUTHORISE} If you know that it was never asked, remove the tag {TAG} instead.",
    )
