"""Fixtures of the tests that run what was built."""

from __future__ import annotations

import pytest

from tests.deploy.runtime_targets import Builds


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """Shared by all tests of a session."""
    return Builds(tmp_path_factory.mktemp("builds"))
