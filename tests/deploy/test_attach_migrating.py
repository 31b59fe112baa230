"""docs/migrating.md: what it names is there, in the code, in the stack, or at AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rotators import errors, settings
from rotators.errors import InvalidSetting, MisconfiguredSecret, RotationError
from rotators.registry import BUILT_IN
from rotators.settings import Settings, StrategyName
from tests.deploy.attach_example import ATTACH, ROOT, broken_links, login_of
from tests.deploy.template import read

GUIDE = ROOT / "docs" / "migrating.md"
TEXT = GUIDE.read_text()

# The variables of AWS's templates for databases.
AWS_VARIABLES = {
    "SECRETS_MANAGER_ENDPOINT",
    "EXCLUDE_CHARACTERS",
    "PASSWORD_LENGTH",
    "EXCLUDE_NUMBERS",
    "EXCLUDE_PUNCTUATION",
    "EXCLUDE_UPPERCASE",
    "EXCLUDE_LOWERCASE",
    "REQUIRE_EACH_INCLUDED_TYPE",
    "USERNAME_CHARACTER_LIMIT",
}
# The properties of HostedRotationLambda, and parameters of the applications in the repository.
AWS_PARAMETERS = {
    "RotationType",
    "MasterSecretArn",
    "SuperuserSecretArn",
    "MasterSecretKmsKeyArn",
    "ExcludeCharacters",
    "SuperuserSecretKmsKeyArn",
    "KmsKeyArn",
    "RotationLambdaName",
    "Runtime",
    "VpcSecurityGroupIds",
    "VpcSubnetIds",
    "masterSecretArn",
}
# What else of AWS's the guide names, and metrics of ours.
AWS_NAMES = {
    "HostedRotationLambda",
    "HostedRotation",
    "SecretRotation",
    "RotateImmediatelyOnUpdate",
    "RotationRules",
    "RotationLambdaARN",
    "LastRotatedDate",
}
METRICS = {"StepFailed", "StepDuration"}
# Commands of the AWS CLI.
COMMANDS = {"describe-secret", "get-secret-value", "update-secret-version-stage"}


def our_variables() -> set[str]:
    return set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", settings.__doc__ or ""))


def reasons(kind: type[RotationError] = RotationError) -> Iterator[str]:
    yield kind("f", "c").reason
    for deeper in kind.__subclasses__():
        if deeper.__module__ == errors.__name__:
            yield from reasons(deeper)


def table(heading: str) -> list[list[str]]:
    """The cells of the first table whose head is this."""
    rows = TEXT[TEXT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def quoted(pattern: str, text: str = TEXT) -> set[str]:
    """What stands between back-ticks and looks like that."""
    return {said for said in re.findall(r"`([^`\n]+)`", text) if re.fullmatch(pattern, said)}


def test_every_variable_is_there_and_every_one_of_awss_is_in_the_table() -> None:
    rows = table("variable")
    named = [row[0].strip("`") for row in rows]
    assert sorted(named) == sorted(AWS_VARIABLES)
    assert our_variables() >= AWS_VARIABLES
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", TEXT)) <= (
        our_variables() | {"ROLE_ADMIN", "OLD_ARN", "APP_CLONE", "RDS_CA_BUNDLE"}
    )
    parameters = read()["Parameters"]
    for name, *_, parameter in rows:
        assert parameter.strip("`") in parameters, name


def test_every_parameter_is_the_stacks_or_awss() -> None:
    parameters = set(read()["Parameters"])
    assigned = {said.partition("=")[0] for said in quoted(r"[A-Z]\w+=[\w-]+")}
    assert assigned <= parameters
    known = parameters | AWS_PARAMETERS | AWS_NAMES | METRICS
    assert quoted(r"[A-Z][a-z]+(?:[A-Z][A-Za-z]+)+") <= known
    left, right = zip(
        *table("`HostedRotationLambda`, or the repository's application"), strict=True
    )
    assert quoted(r"\w+", " ".join(left)) <= AWS_PARAMETERS
    assert quoted(r"[A-Z][A-Za-z]+", " ".join(right)) <= parameters


def test_every_reason_and_strategy_is_one() -> None:
    known = {*reasons(), *StrategyName, *COMMANDS}
    assert quoted(r"[a-z]+(?:-[a-z]+)+") <= known
    assert {"untrusted-server", "forbidden-target"} <= quoted(r"[a-z-]+")
    assert issubclass(errors.UntrustedServer, RotationError)


def test_links_lead_somewhere() -> None:
    assert broken_links(GUIDE) == []


def test_its_commands_are_the_scripts() -> None:
    commands = re.findall(r"docs/attach/cli/attach\.sh (\w+)", TEXT)
    script = (ATTACH / "cli" / "attach.sh").read_text()
    assert set(commands) == {"attach", "rotate"}
    assert [command for command in commands if f"\n{command}() {{" not in script] == []


# ── what it says of the secret, in the order of its table ──

SECRET = {"engine": "postgres", "host": "db.example.com", "username": "app"}


@pytest.mark.parametrize("engine", sorted({"postgres", "mysql", "redshift", "mongo"}))
def test_ssl_absent_is_tls_for_every_engine(engine: str) -> None:
    assert engine in BUILT_IN
    assert login_of({**SECRET, "engine": engine}).tls is True
    assert login_of({**SECRET, "engine": engine, "ssl": "False"}).tls is False


def test_what_counts_as_absent_does() -> None:
    login = login_of({**SECRET, "engine": "postgresql", "port": None, "dbname": ""})
    assert (login.port, login.dbname) == (5432, "postgres")
    assert login_of({**SECRET, "dbname": None}).dbname == "postgres"


@pytest.mark.parametrize(
    "wrong",
    [{"ssl": "maybe"}, {"port": ""}, {"host": "a,b"}, {"host": "/var/run"}, {"host": "a b"}],
    ids=str,
)
def test_what_it_calls_an_error_is_one(wrong: dict[str, str]) -> None:
    with pytest.raises(MisconfiguredSecret):
        login_of({**SECRET, **wrong})


def test_a_flag_that_is_neither_true_nor_false_is_an_error() -> None:
    for name in sorted(AWS_VARIABLES):
        if name.startswith(("EXCLUDE_", "REQUIRE_")) and name != "EXCLUDE_CHARACTERS":
            with pytest.raises(InvalidSetting, match=name):
                Settings.from_environ({name: "perhaps"})
