"""The admin: where its login comes from, and what it may not touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from rotators.database.admin import admin_login, admin_session, require_harmless
from rotators.database.login import Login
from rotators.database.users import Mark, User
from rotators.deadline import Deadline
from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    ValueRejected,
)
from rotators.rds import Endpoint, Lookups
from rotators.redaction import Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.testing.memory import ENGINE_NAME, Memory, MemoryRotator, MemoryServer
from rotators.versions import SecretsManager

HOST = "admins"


class Target:
    """A server with a user and an admin."""

    settings = Settings(strategy=StrategyName.ALTERNATING_USERS)

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        server.passwords.update({"root": "root-password"})
        server.admins.add("root")
        self.admin: Mapping[str, Any] | None = {
            "engine": ENGINE_NAME, "host": HOST, "username": "root", "password": "root-password",
        }  # fmt: skip

    def new_secret(self) -> dict[str, Any]:
        user = f"user{len(self.server.passwords)}"
        self.server.passwords[user] = "user-password"
        return {
            "engine": ENGINE_NAME, "host": HOST, "username": user, "password": "user-password",
        }  # fmt: skip

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.passwords.get(secret["username"]) == str(secret["password"])


@pytest.fixture
def bench() -> Iterator[Bench]:
    with MemoryServer(HOST) as server, Bench(MemoryRotator, Target(server)) as bench:
        yield bench


class Managed(Lookups):
    """RDS says where."""

    endpoint: Endpoint | None = Endpoint(HOST, 1, ENGINE_NAME)

    def managed_endpoint(self, tags: Mapping[str, str]) -> Endpoint | None:
        return self.endpoint if tags == {"aws:rds:primarydbinstancearn": "arn"} else None


@pytest.fixture
def rotation(bench: Bench) -> Callable[..., Rotation]:
    def make(arn: str) -> Rotation:
        return Rotation(
            request=RotationRequest(Step.SET, arn, "v" * 32),
            deadline=Deadline.after(30),
            say=lambda *_, **__: None,
            redactor=Redactor(),
            versions=SecretsManager(bench.client),
        )

    return make


def admin_of(rotation: Rotation, lookups: Lookups | None = None) -> Login:
    current = Login.of(rotation.current, Memory)
    return admin_login(rotation, current, Memory, lookups or Managed())


def test_the_admin_logs_in_to_the_database_of_the_user(
    bench: Bench, rotation: Callable[..., Rotation]
) -> None:
    arn, _ = bench.secret(dbname="shop")
    admin = admin_of(rotation(arn))
    assert (admin.username, admin.dbname) == ("root", "shop")


def test_what_rds_manages_is_completed_by_its_tags(
    bench: Bench, rotation: Callable[..., Rotation]
) -> None:
    managed = bench.simulator.create_secret("m", {"username": "root", "password": "root-password"})
    arn, _ = bench.secret(masterarn=managed)
    with pytest.raises(MisconfiguredSecret, match="no tag of RDS says where"):
        admin_of(rotation(arn))
    bench.client.tag_resource(
        SecretId=managed, Tags=[{"Key": "aws:rds:primarydbinstancearn", "Value": "arn"}]
    )
    assert admin_of(rotation(arn)).host == HOST


@pytest.mark.parametrize(
    ("admin", "kind"),
    [
        ({"host": "elsewhere"}, ForbiddenTarget),
        ({"host": "two,hosts"}, MisconfiguredSecret),
        ({"port": "none"}, MisconfiguredSecret),
        ({"username": None}, MisconfiguredSecret),
    ],
)
def test_an_admin_that_cannot_be_the_one_is_told(
    bench: Bench,
    rotation: Callable[..., Rotation],
    admin: dict[str, Any],
    kind: type[RotationError],
) -> None:
    target: Any = bench.target
    other = bench.simulator.create_secret("other", {**target.admin, **admin})
    arn, _ = bench.secret(masterarn=other)
    with pytest.raises(kind) as caught:
        admin_of(rotation(arn))
    assert caught.value.who["admin"] == other


def test_an_admin_secret_that_does_not_exist_is_told(
    bench: Bench, rotation: Callable[..., Rotation]
) -> None:
    arn, _ = bench.secret(masterarn="no-such-secret")
    with pytest.raises(MisconfiguredSecret, match="no value in the secret no-such-secret"):
        admin_of(rotation(arn))


def test_an_admin_that_is_refused_is_told_from_the_user(
    bench: Bench, rotation: Callable[..., Rotation]
) -> None:
    arn, _ = bench.secret()
    target: Any = bench.target
    target.server.passwords["root"] = "another"
    view = rotation(arn)
    current = Login.of(view.current, Memory)
    with (
        pytest.raises(LoginRefused) as caught,
        admin_session(view, current, Memory()),
    ):
        pass
    assert caught.value.who == {"host": HOST, "user": "root", "admin": bench.admin_arn}


def test_a_user_that_is_harmless_and_ours_or_nobodys_may_be_acted_on() -> None:
    require_harmless(User("app"), "ours")
    require_harmless(User("app", mark=Mark("ours", ("app", "app_clone"))), "ours")


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (User("app", ("root",)), "administrative rights: root"),
        (User("app", mark=Mark("theirs", ("app", "app_clone"))), "belongs to the secret theirs"),
        (User("app", mark=Mark("ours", ("b", "b_clone"))), "belongs to the secret ours"),
    ],
)
def test_a_user_that_is_not_is_forbidden(user: User, says: str) -> None:
    with pytest.raises(ForbiddenTarget, match=says) as caught:
        require_harmless(user, "ours")
    assert caught.value.cure


def test_rights_that_the_alternate_lacks_fail_the_test_and_are_listed(bench: Bench) -> None:
    arn, old = bench.secret()
    target: Any = bench.target
    token = bench.driver.start(arn)
    bench.driver.step(arn, token, Step.CREATE)
    bench.driver.step(arn, token, Step.SET)
    target.server.rights[old["username"]] = frozenset({"SELECT ON shop"})
    with pytest.raises(PermissionMissing, match="SELECT ON shop"):
        bench.driver.step(arn, token, Step.TEST)
    bench.driver.retry(arn, token)
    assert bench.current(arn)["username"] == f"{old['username']}_clone"


def test_a_base_that_is_missing_is_not_made(bench: Bench) -> None:
    arn, _ = bench.secret()
    bench.driver.rotate(arn)
    target: Any = bench.target
    current = bench.current(arn)
    del target.server.passwords[current["username"].removesuffix("_clone")]
    with pytest.raises(MisconfiguredSecret, match="there is no user"):
        bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))


PROOFS = ["AWSPREVIOUS", "a version without label", "the setting", "a mark", "its own mark", None]


@pytest.mark.parametrize("proof", PROOFS)
def test_an_alternate_that_was_there_needs_a_proof(bench: Bench, proof: str | None) -> None:
    arn, old = bench.secret()
    target: Any = bench.target
    clone = {**old, "username": f"{old['username']}_clone", "password": "clone-password"}
    target.server.passwords[clone["username"]] = clone["password"]
    if proof in {"AWSPREVIOUS", "a version without label"}:
        bench.driver.put_by_hand(arn, clone)
        bench.driver.put_by_hand(arn, old)
    if proof == "a version without label":
        bench.driver.put_by_hand(arn, {**old, "note": "now it has no label"})
    if proof == "the setting":
        target.settings = Settings(strategy=StrategyName.ALTERNATING_USERS, admin_reset=True)
    if proof in {"a mark", "its own mark"}:
        target.server.marks[clone["username"]] = Mark(arn, (old["username"], clone["username"]))
    if proof == "its own mark":
        target.server.forgers.add(clone["username"])
    if proof in {"its own mark", None}:
        with pytest.raises(ForbiddenTarget, match="nothing proves"):
            bench.driver.rotate(arn)
        assert target.server.passwords[clone["username"]] == clone["password"]
    else:
        bench.driver.rotate(arn)
        assert bench.current(arn)["username"] == clone["username"]


def test_versions_that_may_not_be_listed_prove_nothing(bench: Bench) -> None:
    arn, old = bench.secret()
    target: Any = bench.target
    target.server.passwords[f"{old['username']}_clone"] = "somebody's"
    bench.simulator.deny("ListSecretVersionIds")
    with pytest.raises(ForbiddenTarget, match="nothing proves"):
        bench.driver.rotate(arn)


@pytest.mark.parametrize("marked", ["by an admin", "by itself", None])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_single_user_is_reset_by_its_admin_only_with_proof(
    bench: Bench, marked: str | None, *, allowed: bool
) -> None:
    target: Any = bench.target
    target.settings = Settings(strategy=StrategyName.SINGLE_USER, admin_reset=allowed)
    arn, old = bench.secret()
    user = old["username"]
    target.server.passwords[user] = "set by somebody else"
    if marked:
        target.server.marks[user] = Mark(arn, (user, f"{user}_clone"))
    if marked == "by itself":
        target.server.forgers.add(user)
    if marked == "by an admin" or allowed:
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))
    else:
        with pytest.raises(LoginRefused, match="ROTATION_ADMIN_RESET=true"):
            bench.driver.rotate(arn)
        assert target.server.passwords[user] == "set by somebody else"


def test_an_admin_that_cannot_help_is_said_and_the_search_goes_on(bench: Bench) -> None:
    target: Any = bench.target
    target.settings = Settings(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    arn, old = bench.secret()
    target.server.passwords["root"] = "another"
    target.server.passwords[old["username"]] = "set by somebody else"
    with pytest.raises(LoginRefused, match="the admin could not help: wrong user or password"):
        bench.driver.rotate(arn)


def test_a_value_that_the_policy_refuses_is_given_up(bench: Bench) -> None:
    target: Any = bench.target
    arn, old = bench.secret()
    target.server.accepts = lambda password: password == "user-password"
    with pytest.raises(ValueRejected, match="AWSCURRENT still logs in"):
        bench.driver.rotate(arn)
    assert list(bench.labelled(arn)) == ["AWSCURRENT"]
    target.server.accepts = lambda _: True
    bench.driver.rotate(arn)
    assert bench.current(arn)["username"] == f"{old['username']}_clone"


def test_a_refused_value_that_is_in_place_is_a_success(bench: Bench) -> None:
    target: Any = bench.target
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    bench.driver.step(arn, token, Step.CREATE)
    bench.driver.step(arn, token, Step.SET)
    target.server.accepts = lambda _: False
    bench.driver.retry(arn, token)
    assert bench.current(arn)["username"] == f"{old['username']}_clone"
