"""Which class serves which engine."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rotators import registry as module
from rotators.errors import InvalidSetting, UnknownEngine
from rotators.registry import BUILT_IN, ENTRY_POINT_GROUP, Registry, suggestion
from rotators.rotator import Rotator
from rotators.testing.memory import MemoryRotator

MEMORY = "rotators.testing.memory:MemoryRotator"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points of other distributions, to be filled."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(module, "_entry_points", lambda: points)
    return points


def point(name: str, value: str = MEMORY) -> EntryPoint:
    return EntryPoint(name, value, ENTRY_POINT_GROUP)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_engine_loads(name: str) -> None:
    assert issubclass(Registry().load(name), Rotator)


def test_the_names_of_aws_are_built_in() -> None:
    assert {"postgres", "aurora-postgresql", "postgresql"} <= set(BUILT_IN)


def test_a_class_is_loaded_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late_rotator.py").write_text("class Late: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry({"late": "late_rotator:Late"})
    assert registry.names() == ["late"]
    assert registry.allowing(frozenset({"late"})).names() == ["late"]
    assert "late_rotator" not in sys.modules
    assert registry.load("late").__name__ == "Late"
    del sys.modules["late_rotator"]


def test_another_distribution_may_offer_an_engine(offered: list[EntryPoint]) -> None:
    offered += [point("other", "json:nothing"), point("memory")]
    assert Registry().load("memory") is MemoryRotator
    assert Registry().names() == sorted([*BUILT_IN, "memory", "other"])


def test_no_distribution_can_take_the_name_of_a_built_in_engine(offered: list[EntryPoint]) -> None:
    offered.append(point("postgres"))
    assert Registry().load("postgres").__name__ == "PostgreSQLRotator"
    assert Registry().names() == sorted(BUILT_IN)


def test_entry_points_are_not_looked_at_for_a_built_in_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def looked() -> Iterable[EntryPoint]:
        raise AssertionError("looked up")

    monkeypatch.setattr(module, "_entry_points", looked)
    registry = Registry().allowing(frozenset({"postgres"}))
    assert registry.load("postgres").__name__ == "PostgreSQLRotator"


def test_entry_points_of_our_group_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        groups.append(group)
        return [point("memory")]

    monkeypatch.setattr(module, "entry_points", entry_points)
    assert Registry({}).load("memory") is MemoryRotator
    assert groups == ["rotators"]


def test_an_unknown_engine_is_told_with_the_closest_name(offered: list[EntryPoint]) -> None:
    with pytest.raises(UnknownEngine) as caught:
        Registry().load("Postgress")
    assert str(caught.value) == (
        "no rotator for the engine 'Postgress'. Mend the secret's 'engine'. Did you mean"
        f" 'postgres'? Choose one of: {', '.join(sorted(BUILT_IN))}."
    )


def test_engines_differ_by_case(offered: list[EntryPoint]) -> None:
    with pytest.raises(UnknownEngine):
        Registry().load("POSTGRES")


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert suggestion("zzz", ["postgres", "mysql"]) == "Choose one of: postgres, mysql."
    assert suggestion("MYSQL", iter(["mysql"])) == "Did you mean 'mysql'? Choose one of: mysql."


def test_without_an_allow_list_every_engine_is_allowed() -> None:
    assert Registry().allowing(None) == Registry()


def test_only_allowed_engines_load(offered: list[EntryPoint]) -> None:
    offered.append(point("memory"))
    registry = Registry().allowing(frozenset({"postgres", "memory"}))
    assert registry.load("memory") is MemoryRotator
    assert registry.load("postgres").__name__ == "PostgreSQLRotator"
    with pytest.raises(UnknownEngine) as caught:
        registry.load("postgresql")
    assert str(caught.value) == (
        "the engine 'postgresql' is not allowed here. ROTATION_ENGINES of this function allows:"
        " memory, postgres"
    )


def test_nothing_is_allowed_by_an_empty_list() -> None:
    with pytest.raises(UnknownEngine, match="not allowed"):
        Registry(allowed=frozenset()).load("postgres")


def test_allowing_an_unknown_engine_is_an_error_of_the_setting(offered: list[EntryPoint]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Registry().allowing(frozenset({"postgres", "postgers"}))
    assert caught.value.found == "ROTATION_ENGINES names 'postgers', which is no engine here"
    assert caught.value.cure.startswith("Did you mean 'postgres'?")


def test_what_breaks_while_a_class_is_loaded_is_not_hidden() -> None:
    with pytest.raises(ModuleNotFoundError, match="absent_module"):
        Registry({"x": "absent_module:X"}).load("x")
    with pytest.raises(AttributeError):
        Registry({"x": "json:Absent"}).load("x")
