"""The contract on a double of MongoDB and DocumentDB, or on a server of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.documentdb import DocumentDBRotator
from rotators.settings import StrategyName
from rotators.testing.contract import EngineContract
from rotators.testing.passwords import PasswordContract
from tests.engines.documentdb_target import MongoTarget
from tests.engines.killed import KilledContract

if TYPE_CHECKING:
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]


class MongoContract(KilledContract):
    rotator = DocumentDBRotator
    engine = "mongo"


class TestMongoDouble(MongoContract):
    @pytest.fixture
    def target(self, mongo: Mongo) -> MongoTarget:
        return MongoTarget(mongo)


class TestMongoDoubleAlternatingUsers(MongoContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, mongo: Mongo) -> MongoTarget:
        return MongoTarget(mongo, StrategyName.ALTERNATING_USERS)


class TestDocumentDBDoubleAlternatingUsers(PasswordContract):
    """Without a place for marks, and with passwords of SHA-1: what differs by that."""

    rotator = DocumentDBRotator
    calls = 13
    logins = 4
    probes = 0
    zero_downtime = True

    test_the_law_holds_at_every_instant = EngineContract.test_the_law_holds_at_every_instant
    test_two_deliveries_at_once_both_end_well = (
        EngineContract.test_two_deliveries_at_once_both_end_well
    )
    test_the_budget = EngineContract.test_the_budget
    _lawful = EngineContract._lawful

    @pytest.fixture
    def target(self, mongo: Mongo) -> Iterator[MongoTarget]:
        with mongo.persona("documentdb"):
            yield MongoTarget(mongo, StrategyName.ALTERNATING_USERS)
