"""The contract of issued values, held against rotators that make one mistake each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from rotators.errors import (
    AnswerLost,
    LoginRefused,
    ReauthorizationRequired,
    RotationError,
    ServiceUnavailable,
)
from rotators.issued.answer import Answer
from rotators.issued.http import Provider
from rotators.issued.rotator import IssuedSecretRotator
from rotators.settings import Settings
from rotators.testing.bench import Bench
from rotators.testing.issued import IssuedContract

if TYPE_CHECKING:
    from rotators.rotator import Rotation
    from rotators.secret import Secret


class Desk(Provider):
    """A provider in memory: a pair of tokens for each token that was not used before."""

    pairs: ClassVar[dict[str, str]] = {}
    spent: ClassVar[set[str]] = set()
    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    @classmethod
    def issue(cls) -> dict[str, str]:
        number = next(cls.numbers)
        cls.pairs[f"refresh-{number}-token"] = f"access-{number}-token"
        return {"access": f"access-{number}-token", "refresh": f"refresh-{number}-token"}

    def post(self, path: str, form: Mapping[str, str] | str, **_: object) -> Answer:
        assert isinstance(form, Mapping)
        refresh = form["refresh"]
        if refresh in self.spent or refresh not in self.pairs:
            self.pairs.pop(refresh, None)
            return Answer(400, {"error": "spent"})
        self.spent.add(refresh)
        return Answer(200, self.issue())

    def get_from(self, path: str, *, bearer: str) -> Answer:
        return Answer(200 if bearer in self.pairs.values() else 401, {})


class Good(IssuedSecretRotator):
    provider = Desk

    def issued(self, current: Secret) -> frozenset[str]:
        return frozenset({"access", "refresh"})

    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        answer = self.ask(rotation)
        if answer.status == 400:
            raise ReauthorizationRequired(f"spent: {answer.said}", "Authorise anew.")
        return {key: answer.text(key) for key in ("access", "refresh")}

    def ask(self, rotation: Rotation) -> Answer:
        desk = self.connect(rotation, rotation.current, "https://desk.example")
        return desk.post("/refresh", {"refresh": rotation.current.text("refresh")})

    def verify(self, rotation: Rotation, value: Secret) -> None:
        desk = self.connect(rotation, value, "https://desk.example")
        if desk.get_from("/me", bearer=value.text("access")).status != 200:
            raise LoginRefused("refused", "Rotate.")


class AsksAgainItself(Good):
    def ask(self, rotation: Rotation) -> Answer:
        try:
            return super().ask(rotation)
        except AnswerLost:
            return super().ask(rotation)


class TakesALostAnswerForARefusal(Good):
    def ask(self, rotation: Rotation) -> Answer:
        try:
            return super().ask(rotation)
        except AnswerLost as error:
            raise ServiceUnavailable(error.found, error.cure) from None


class SwallowsWhatItFinds(Good):
    def verify(self, rotation: Rotation, value: Secret) -> None:
        try:
            super().verify(rotation, value)
        except RotationError:
            rotation.say("it will be all right")


class SaysWhatItGot(Good):
    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        fields = super().obtain(rotation)
        rotation.say(f"got {fields}")
        return fields


class SaysThatItSpendsNothing(Good):
    def spends(self, current: Secret) -> bool:
        return False


class ComparesByAsking(Good):
    def compare(self, rotation: Rotation) -> Mapping[str, Any] | None:
        return super().obtain(rotation)


class DropsTheSuccessor(Good):
    def issued(self, current: Secret) -> frozenset[str]:
        return frozenset({"access"})


class TakesASpentTokenForARefusal(Good):
    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        try:
            return super().obtain(rotation)
        except ReauthorizationRequired as error:
            raise LoginRefused(error.found, error.cure) from None


class DeskTarget:
    settings = Settings()
    admin: Mapping[str, Any] | None = None

    def new_secret(self) -> dict[str, Any]:
        return {"engine": "desk", **Desk.issue()}

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return secret["access"] in Desk.pairs.values()


class Contract(IssuedContract):
    __test__ = False
    spends = True

    def __init__(self, rotator: type[IssuedSecretRotator]) -> None:
        self.rotator = rotator  # type: ignore[misc]


def lost(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_a_lost_answer_of_the_provider_leaves_the_mark_and_is_not_asked_for_again(bench)


def spoilt(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_a_value_that_the_provider_does_not_take_fails_the_test(bench)


def printed(contract: Contract, bench: Bench, request: pytest.FixtureRequest) -> None:
    contract.test_what_is_printed_shows_no_value(
        bench, request.getfixturevalue("capfd"), request.getfixturevalue("caplog")
    )


def overtaken(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_a_delivery_that_another_overtakes_asks_for_nothing_more(bench, "createSecret")


def repeated(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_a_repeated_delivery_that_reads_too_early_asks_for_nothing_more(bench)


def crashed(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_a_crash_at_any_point_ends_well_or_says_the_cure(bench)


def in_a_row(contract: Contract, bench: Bench, _: pytest.FixtureRequest) -> None:
    contract.test_rotations_follow_each_other(bench)


Check = Callable[[Contract, Bench, pytest.FixtureRequest], None]

WRONG: dict[type[Good], Check] = {
    AsksAgainItself: lost,
    TakesALostAnswerForARefusal: lost,
    SwallowsWhatItFinds: spoilt,
    SaysWhatItGot: printed,
    SaysThatItSpendsNothing: overtaken,
    ComparesByAsking: repeated,
    DropsTheSuccessor: in_a_row,
    TakesASpentTokenForARefusal: crashed,
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda kind: kind.__name__)
def test_a_mistake_is_found(wrong: type[Good], request: pytest.FixtureRequest) -> None:
    found = AssertionError, RotationError, pytest.fail.Exception
    with Bench(wrong, DeskTarget()) as bench, pytest.raises(found):
        WRONG[wrong](Contract(wrong), bench, request)


@pytest.mark.parametrize("check", dict.fromkeys(WRONG.values()), ids=lambda each: each.__name__)
def test_a_rotator_without_one_passes(check: Check, request: pytest.FixtureRequest) -> None:
    with Bench(Good, DeskTarget()) as bench:
        check(Contract(Good), bench, request)
