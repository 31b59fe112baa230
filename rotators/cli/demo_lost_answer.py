"""What becomes of a user's tokens when the answer that has the next ones is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotators.cli.demo_server import Finding
from rotators.cli.demo_tokens import REFRESH, UserTokens
from rotators.errors import AnswerLost, ReauthorizationRequired, RotationError
from rotators.exchange import TAG
from rotators.request import Step
from rotators.versions import CURRENT

if TYPE_CHECKING:
    from rotators.cli.watched import Scene
    from rotators.testing.driver import RotationDriver


@dataclass
class LostAnswer(UserTokens):
    """The same, but nobody hears X's answer."""

    errors: list[RotationError] = field(default_factory=list, repr=False)
    tag: str = field(default="", repr=False)

    name = "demo/lost"
    about = "X uses the refresh token up, and nobody hears what the next one is"

    @property
    def title(self) -> str:
        return f"{self.credential}, an answer lost"

    def perform(self) -> Iterator[Scene]:
        driver = self.driver(self.recorder(self.settings()))
        first = self.stage.simulator.secret(self.name).labels[CURRENT]
        yield self.scene("before", self.before, 0.0, first)
        token = driver.start(self.name)
        self.stage.x.drop_next_answer(REFRESH)
        for _ in range(3):  # Secrets Manager retries
            start = time.monotonic()
            did = f"{self._create(driver, token)}\n{self.requests()}"
            seconds = round(time.monotonic() - start, 3)
            yield self.scene(Step.CREATE, did, seconds, first, token)
        self.tag = self.stage.simulator.secret(self.name).tags.get(TAG, "")

    def _create(self, driver: RotationDriver, token: str) -> str:
        try:
            driver.step(self.name, token, Step.CREATE)
        except (AnswerLost, ReauthorizationRequired) as error:
            self.errors.append(error)
            return f"failed: {error.reason}"
        return "no error"

    def findings(self) -> Iterator[Finding]:
        yield Finding("AWSCURRENT is left as it was, and nothing is staged", self.new is None)
        yield Finding(
            "X was asked once more, to find out, and never again", self.asked == [REFRESH] * 2
        )
        kinds = [type(error) for error in self.errors]
        yield Finding(
            "the error says what a person has to do: authorise anew, store it, rotate",
            kinds == [AnswerLost, ReauthorizationRequired, ReauthorizationRequired]
            and "authorise anew" in self.errors[-1].cure,
        )
        said = [self.tag, *map(str, self.errors)]
        yield Finding(
            f"no token is in the errors, nor in the tag that tells of it ({TAG})",
            all(said) and not any(map(self.stage.shows, said)),
        )
        yield self._cured()

    def _cured(self) -> Finding:
        """What comes of doing as the error says."""
        anew = {**self.old, **self.consent(self.stage, self.app)}
        self.stage.simulator.put_by_hand(self.name, anew)
        self.driver(self.recorder(self.settings())).rotate(self.name)
        new = self.new or self.old
        return Finding(
            "a person has done so: the next rotation goes through",
            new[self.key] != anew[self.key] and self.logs_in(new),
        )
