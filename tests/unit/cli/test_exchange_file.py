"""The mark of an exchange between two runs. tests/engines/test_invoke_twitter.py plays it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rotators.cli.exchange_file import ExchangeFile
from rotators.cli.files import FilesError, SecretFiles
from rotators.exchange import TAG, Mark
from rotators.testing.bench import simulator_client
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import SecretsManager

VALUE = {"refresh_token": "a-token-that-is-good-for-one-use", "scope": "tweet.read"}
MARK = Mark("a" * 36, 1, 4102444800, "0123abcd")  # of an invocation that ends in the year 2100
NEXT_RUN = "b" * 36


@pytest.fixture
def files(tmp_path: Path) -> SecretFiles:
    (tmp_path / "secret.json").write_text(json.dumps(VALUE))
    return SecretFiles(tmp_path / "secret.json")


@pytest.fixture
def simulator() -> Iterator[SecretsManagerSimulator]:
    with SecretsManagerSimulator() as simulator:
        simulator.create_secret("app", VALUE)
        yield simulator


def restored(files: SecretFiles, simulator: SecretsManagerSimulator) -> Mark | None:
    """The tag that the next run finds on its secret."""
    client = simulator_client(simulator.endpoint_url)
    try:
        ExchangeFile(files).restore(SecretsManager(client), "app", NEXT_RUN)
    finally:
        client.close()
    return Mark.read(simulator.secret("app").tags.get(TAG))


def test_the_next_run_finds_it_on_its_own_version_and_waits_for_nobody(
    files: SecretFiles, simulator: SecretsManagerSimulator
) -> None:
    ExchangeFile(files).keep(str(MARK))
    assert restored(files, simulator) == replace(MARK, source=NEXT_RUN, until=0)


def test_without_one_there_is_no_tag(
    files: SecretFiles, simulator: SecretsManagerSimulator
) -> None:
    assert restored(files, simulator) is None
    assert not simulator.calls


def test_one_that_is_settled_is_gone(
    files: SecretFiles, simulator: SecretsManagerSimulator
) -> None:
    file = ExchangeFile(files)
    file.keep(str(MARK))
    for _ in range(2):
        file.keep(None)
    assert not files.exchange.exists()
    assert restored(files, simulator) is None


def test_it_is_about_one_value_however_that_is_laid_out(
    files: SecretFiles, simulator: SecretsManagerSimulator
) -> None:
    ExchangeFile(files).keep(str(MARK))
    files.file.write_text(json.dumps(dict(reversed(VALUE.items())), indent=1))
    assert restored(files, simulator) is not None


def test_another_value_makes_it_void(
    files: SecretFiles, simulator: SecretsManagerSimulator
) -> None:
    ExchangeFile(files).keep(str(MARK))
    files.file.write_text(json.dumps({**VALUE, "refresh_token": "another"}))
    assert restored(files, simulator) is None
    assert not files.exchange.exists()


def test_it_is_its_owners_and_holds_no_token(files: SecretFiles) -> None:
    ExchangeFile(files).keep(str(MARK))
    assert files.exchange.stat().st_mode & 0o777 == 0o600
    assert VALUE["refresh_token"] not in files.exchange.read_text()


def test_one_that_cannot_be_kept_is_an_error(files: SecretFiles) -> None:
    files.exchange.mkdir()
    for tag in (str(MARK), None):
        with pytest.raises(FilesError, match=r"Cannot keep the tag rotators:exchange in .*json"):
            ExchangeFile(files).keep(tag)
