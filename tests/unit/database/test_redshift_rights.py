"""Access lists and the statements that make one user's rights another's; names and hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from rotators.database.redshift_acl import Item, items
from rotators.database.redshift_policy import lawful, require_lawful
from rotators.database.redshift_rights import (
    FRESH,
    Default,
    Grant,
    Membership,
    Rights,
    Thing,
    changes,
    lacking,
    unreached,
)
from rotators.database.redshift_statements import identifier, literal, setting, verifier
from rotators.errors import InvalidSetting, MisconfiguredSecret
from rotators.passwords import PasswordPolicy

TABLE, VIEW = Thing("TABLE", '"s"."t"'), Thing("TABLE", '"s"."v"')
SCHEMA, LAKE = Thing("SCHEMA", '"s"'), Thing("SCHEMA", '"lake"', external=True)


# ── access lists ──

ACLS = [
    (None, []),
    ("", []),
    ("app=r/root", [Item("", "app", "r")]),
    ("app=r*w/root\x1fother=a/root", [Item("", "app", "r*w"), Item("", "other", "a")]),
    ("=U/rdsdb", [Item("", "", "U")]),
    ("group readers=r/root", [Item("GROUP", "readers", "r")]),
    ('role "sys:dba"=r/root', [Item("ROLE", "sys:dba", "r")]),
    ('"group x"=r/root', [Item("", "group x", "r")]),
    ('"we""ird=rw/"=r/"ro/ot"', [Item("", 'we"ird=rw/', "r")]),
    ('"a\x1fb=r/c"=w/root\x1fapp=r/root', [Item("", "a\x1fb=r/c", "w"), Item("", "app", "r")]),
]


@pytest.mark.parametrize(("acl", "expected"), ACLS)
def test_an_access_list_is_read(acl: str | None, expected: list[Item]) -> None:
    assert items(acl) == expected


def test_letters_are_words_and_an_unknown_one_is_told() -> None:
    item = Item("", "app", "r*aQ")
    assert list(item.privileges("TABLE")) == [
        ("SELECT", True),
        ("INSERT", False),
        ("privilege 'Q'", False),
    ]


# ── statements ──


def given(*grants: Grant, **more: object) -> Rights:
    return replace(FRESH, grants=frozenset(grants), **more)  # type: ignore[arg-type]


def test_rights_are_granted_and_excess_is_revoked_in_as_few_statements_as_it_takes() -> None:
    wanted = given(Grant(TABLE, "SELECT"), Grant(TABLE, "INSERT"), Grant(VIEW, "SELECT"),
                   Grant(SCHEMA, "USAGE"), Grant(Thing("TABLE", '"s"."u"'), "SELECT"))  # fmt: skip
    have = given(Grant(SCHEMA, "CREATE"))
    inside, after = changes(wanted, have, "app_clone", "app")
    assert inside == [
        'REVOKE CREATE ON SCHEMA "s" FROM "app_clone"',
        'GRANT USAGE ON SCHEMA "s" TO "app_clone"',
        'GRANT INSERT, SELECT ON TABLE "s"."t" TO "app_clone"',
        'GRANT SELECT ON TABLE "s"."u", "s"."v" TO "app_clone"',
    ]
    assert after == []
    assert changes(wanted, wanted, "app_clone", "app") == ([], [])


def test_a_grant_option_that_goes_takes_the_right_with_it_which_comes_back() -> None:
    inside, _ = changes(
        given(Grant(TABLE, "SELECT")), given(Grant(TABLE, "SELECT", grantable=True)), "c", "b"
    )
    assert inside == [
        'REVOKE SELECT ON TABLE "s"."t" FROM "c"',
        'GRANT SELECT ON TABLE "s"."t" TO "c"',
    ]


def test_what_is_external_comes_after_the_transaction() -> None:
    inside, after = changes(given(Grant(LAKE, "USAGE")), FRESH, "c", "b")
    assert (inside, after) == ([], ['GRANT USAGE ON SCHEMA "lake" TO "c"'])


def test_who_gets_what_its_base_owns_gets_all_of_it() -> None:
    unlisted = given(owned=frozenset({TABLE}), unlisted=frozenset({TABLE}))
    assert changes(unlisted, FRESH, "c", "b")[0] == ['GRANT ALL PRIVILEGES ON TABLE "s"."t" TO "c"']
    listed = given(Grant(TABLE, "SELECT"), Grant(TABLE, "DROP"), owned=frozenset({TABLE}))
    assert changes(listed, given(Grant(TABLE, "SELECT")), "c", "b")[0] == [
        'GRANT ALL PRIVILEGES ON TABLE "s"."t" TO "c"'
    ]
    assert unreached(listed, given(Grant(TABLE, "SELECT"))) == [TABLE]
    assert unreached(listed, given(Grant(TABLE, "SELECT"), Grant(TABLE, "DROP"))) == []


def test_what_the_alternate_owns_is_left_to_a_person() -> None:
    own = given(Grant(TABLE, "SELECT"), owned=frozenset({TABLE}))
    assert changes(FRESH, own, "c", "b") == ([], [])
    assert lacking(own, FRESH) == []
    assert unreached(own, FRESH) == [TABLE]


def test_memberships_attributes_and_settings_converge() -> None:
    wanted = replace(
        FRESH,
        memberships=frozenset({Membership("GROUP", '"g"'), Membership("ROLE", '"r"', admin=True)}),
        attributes={**FRESH.attributes, "CREATEDB": "CREATEDB"},
        settings={"search_path": 'search_path TO "s"'},
    )
    have = replace(
        FRESH,
        memberships=frozenset({Membership("GROUP", '"old"'), Membership("ROLE", '"r"')}),
        settings={"timezone": "timezone TO 'UTC'"},
    )
    inside, _ = changes(wanted, have, "c", "b")
    assert inside == [
        'ALTER USER "c" CREATEDB',
        'ALTER USER "c" RESET timezone',
        'ALTER USER "c" SET search_path TO "s"',
        'ALTER GROUP "old" DROP USER "c"',
        'REVOKE ROLE "r" FROM "c"',
        'ALTER GROUP "g" ADD USER "c"',
        'GRANT ROLE "r" TO "c" WITH ADMIN OPTION',
    ]
    assert lacking(wanted, have) == ["CREATEDB", 'GROUP "g"', 'ROLE "r" WITH ADMIN OPTION']


def test_default_privileges_of_the_pair_for_one_another_stay() -> None:
    between = Default("", "", "TABLES", '"b"', "SELECT", grantable=False)
    others = Default('"maker"', '"s"', "TABLES", "", "SELECT", grantable=False)
    have = replace(FRESH, defaults=frozenset({between, others}))
    inside, _ = changes(FRESH, have, "c", "b")
    assert inside == [
        'ALTER DEFAULT PRIVILEGES FOR USER "maker" IN SCHEMA "s" REVOKE SELECT ON TABLES FROM "c"'
    ]
    assert lacking(have, FRESH, "b", "c") == [str(others)]
    assert others.give('"c"').endswith('GRANT SELECT ON TABLES TO "c"')


def test_a_name_with_braces_is_no_placeholder() -> None:
    inside, _ = changes(given(Grant(TABLE, "SELECT")), FRESH, "{} {0}", "b")
    assert inside == ['GRANT SELECT ON TABLE "s"."t" TO "{} {0}"']


# ── names, values, hashes ──


def test_names_and_values_are_quoted() -> None:
    assert identifier('we"ird; --') == '"we""ird; --"'
    assert literal("it's") == "'it''s'"
    for text in ("back\\slash", "nul\0"):
        with pytest.raises(MisconfiguredSecret, match="backslash"):
            literal(text)


SETTINGS = [
    ("search_path", '"$user", public, "a, b"', 'search_path TO "$user", "public", "a, b"'),
    ("search_path", "", "search_path TO ''"),
    ("query_group", "it's", "query_group TO 'it''s'"),
    ("bad name", "x", None),
    ("query_group", "back\\slash", None),
]


@pytest.mark.parametrize(("name", "value", "said"), SETTINGS)
def test_a_setting_is_said_anew(name: str, value: str, said: str | None) -> None:
    assert setting(name, value) == said


def test_a_hash_is_of_the_kind_that_the_user_logs_in_by() -> None:
    assert verifier(5, "app", "pw") == "md5" + hashlib.md5(b"pwapp").hexdigest()  # noqa: S324
    kind, digest, salt = verifier(13, "app", "pw").split("|")
    assert kind == "sha256"
    assert digest == hashlib.sha256(f"pw{salt}".encode()).hexdigest()
    assert verifier(None, "app", "pw") != verifier(None, "app", "pw")


# ── the policy ──


def test_every_password_is_one_that_redshift_takes() -> None:
    for policy in (
        PasswordPolicy(length=8),
        PasswordPolicy(length=64, exclude_characters="", require_each_included_type=False),
        PasswordPolicy(exclude_punctuation=True),
    ):
        sound = lawful(policy)
        require_lawful(sound)
        for _ in range(50):
            password = sound.generate("/@\"'\\:")
            assert not set(password) & set("'\"\\/@ ")
            assert any(map(str.isupper, password))
            assert any(map(str.islower, password))
            assert any(map(str.isdigit, password))


@pytest.mark.parametrize(
    "policy",
    [
        PasswordPolicy(length=7),
        PasswordPolicy(length=65),
        PasswordPolicy(exclude_uppercase=True),
        PasswordPolicy(exclude_numbers=True),
        PasswordPolicy(exclude_characters="0123456789"),
    ],
    ids=str,
)
def test_settings_that_redshift_would_refuse_are_refused(policy: PasswordPolicy) -> None:
    with pytest.raises(InvalidSetting) as caught:
        require_lawful(lawful(policy))
    assert caught.value.cure
