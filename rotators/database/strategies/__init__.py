"""Whose login acts on which user: the strategies there are. No SQL, no engine's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rotators.database.strategies.alternating_users import AlternatingUsers
from rotators.database.strategies.dual_password import DualPassword
from rotators.database.strategies.single_user import SingleUser
from rotators.errors import StrategyUnavailable

if TYPE_CHECKING:
    from rotators.database.engine import Engine
    from rotators.database.strategies.base import Strategy
    from rotators.settings import Settings, StrategyName

STRATEGIES: Mapping[StrategyName, type[Strategy]] = {
    strategy.name: strategy for strategy in (SingleUser, AlternatingUsers, DualPassword)
}


def strategies_of(engine: type[Engine]) -> tuple[StrategyName, ...]:
    """The strategies that an engine's abilities allow."""
    known = STRATEGIES.items()
    return tuple(name for name, strategy in known if issubclass(engine, strategy.needs))


def strategy_for(name: StrategyName, engine: Engine, settings: Settings) -> Strategy:
    """The strategy of that name. Raises StrategyUnavailable."""
    available = strategies_of(type(engine))
    if name in available:
        return STRATEGIES[name](engine, settings)
    raise StrategyUnavailable(
        f"{engine.name} cannot be rotated by {name.value!r} (ROTATION_STRATEGY)",
        f"Set ROTATION_STRATEGY to one of: {', '.join(available)}.",
    )
