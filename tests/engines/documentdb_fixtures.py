"""Fixtures of the tests on the double of MongoDB and DocumentDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.doubles.documentdb import shared
from tests.engines.documentdb_scene import Scene, scene_on

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates
    from tests.doubles.documentdb import Mongo


@pytest.fixture(scope="session")
def mongo_of_session(certificates: Certificates) -> Iterator[Mongo]:
    """The one that all tests share."""
    with shared(certificates) as server:
        yield server


@pytest.fixture
def mongo(mongo_of_session: Mongo) -> Iterator[Mongo]:
    """The shared server; whom a test makes there goes with the test."""
    with mongo_of_session.tidied():
        yield mongo_of_session


@pytest.fixture
def scene(mongo: Mongo) -> Iterator[Scene]:
    """Two users in turn, with marks."""
    with scene_on(mongo) as scene:
        yield scene


@pytest.fixture
def markless(mongo: Mongo) -> Iterator[Scene]:
    """Two users in turn, on a server without a place for marks."""
    with mongo.persona("documentdb"), scene_on(mongo) as scene:
        yield scene
