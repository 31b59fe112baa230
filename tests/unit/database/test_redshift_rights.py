"""Access lists and the statements that make one user's rights another's; names and hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from rotators.database.redshift_acl import Item, items
from rotators.database.redshift_catalog import Catalog
from rotators.database.redshift_kinds import (
    Default,
    Grant,
    Membership,
    Permission,
    Thing,
    assumed,
    of_system,
    scoped,
)
from rotators.database.redshift_policy import lawful, require_lawful
from rotators.database.redshift_queries import USERS
from rotators.database.redshift_rights import (
    FRESH,
    Rights,
    changes,
    lacking,
    unreached,
    unsayable,
)
from rotators.database.redshift_statements import identifier, literal, setting, verifier
from rotators.errors import InvalidSetting, MisconfiguredSecret, UnexpectedError
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


@pytest.mark.parametrize(
    ("kind", "letters", "words"),
    [
        ("TABLE", "arwdRxtDPA", "INSERT SELECT UPDATE DELETE REFERENCES DROP TRUNCATE ALTER"),
        ("TABLES", "R*t*PA", "TRUNCATE ALTER"),
        ("SCHEMA", "UCDA", "USAGE CREATE DROP ALTER"),
        ("DATABASE", "CTUA", "CREATE TEMP USAGE ALTER"),
    ],
)
def test_every_letter_that_a_grant_can_give_has_its_word(
    kind: str, letters: str, words: str
) -> None:
    """Without RULE and TRIGGER, which lists show, and Redshift does not support."""
    said = [privilege for privilege, _ in Item("", "app", letters).privileges(kind)]
    assert said == words.split()


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


UNKNOWN = "privilege 'Q'"


def test_an_unknown_letter_too_much_takes_all_with_it_and_what_is_due_comes_back() -> None:
    have = given(Grant(TABLE, UNKNOWN), Grant(TABLE, "SELECT"), Grant(TABLE, "DROP"))
    inside, _ = changes(given(Grant(TABLE, "SELECT")), have, "c", "b")
    assert inside == [
        'REVOKE ALL PRIVILEGES ON TABLE "s"."t" FROM "c"',
        'GRANT SELECT ON TABLE "s"."t" TO "c"',
    ]


def test_an_unknown_letter_in_default_privileges_does_so_too() -> None:
    due = Default('"maker"', '"s"', "TABLES", "", "SELECT", grantable=False)
    unknown = due._replace(privilege=UNKNOWN)
    other = due._replace(schema='"other"')
    wanted = replace(FRESH, defaults=frozenset({due, other}))
    have = replace(FRESH, defaults=frozenset({due, unknown, other}))
    about = 'ALTER DEFAULT PRIVILEGES FOR USER "maker" IN SCHEMA "s"'
    assert changes(wanted, have, "c", "b")[0] == [
        f'{about} REVOKE ALL ON TABLES FROM "c"',
        f'{about} GRANT SELECT ON TABLES TO "c"',
    ]


def test_what_no_statement_can_give_or_take_is_listed() -> None:
    due = Default('"maker"', '"s"', "TABLES", "", UNKNOWN, grantable=False)
    base = replace(
        given(Grant(TABLE, UNKNOWN), Grant(VIEW, UNKNOWN), owned=frozenset({VIEW})),
        memberships=frozenset({of_system("VACUUM"), of_system("CREATE MODEL")}),
        defaults=frozenset({due}),
    )
    assert unsayable(base, FRESH, "b", "c") == sorted(
        [f'{UNKNOWN} ON TABLE "s"."t"', "privilege 'VACUUM'", str(due)]
    )
    assert unsayable(base, base, "b", "c") == []
    assert unsayable(FRESH, base, "b", "c") == ["privilege 'VACUUM'"]


PERMISSIONS = [
    (scoped("SELECT", "TABLES", "SCHEMA", 's"x', admin=True),
     'GRANT SELECT FOR TABLES IN SCHEMA "s""x" TO "c" WITH GRANT OPTION',
     'REVOKE SELECT FOR TABLES IN SCHEMA "s""x" FROM "c"'),
    (scoped("ALTER", "COPY JOBS", "DATABASE", "d", admin=False),
     'GRANT ALTER FOR COPY JOBS IN DATABASE "d" TO "c"',
     'REVOKE ALTER FOR COPY JOBS IN DATABASE "d" FROM "c"'),
    (assumed("arn:aws:iam::1:role/x,arn:aws:iam::2:role/y", "UNLOAD"),
     "GRANT ASSUMEROLE ON 'arn:aws:iam::1:role/x,arn:aws:iam::2:role/y' TO \"c\" FOR UNLOAD",
     "REVOKE ASSUMEROLE ON 'arn:aws:iam::1:role/x,arn:aws:iam::2:role/y' FROM \"c\" FOR UNLOAD"),
    (assumed("default-aws-iam-role", "EXFUNC"),
     'GRANT ASSUMEROLE ON default TO "c" FOR EXTERNAL FUNCTION',
     'REVOKE ASSUMEROLE ON default FROM "c" FOR EXTERNAL FUNCTION'),
    (of_system("CREATE MODEL"), 'GRANT CREATE MODEL TO "c"', 'REVOKE CREATE MODEL FROM "c"'),
]  # fmt: skip


@pytest.mark.parametrize(("permission", "give", "take"), PERMISSIONS, ids=str)
def test_permissions_in_no_access_list_are_given_and_taken(
    permission: Permission, give: str, take: str
) -> None:
    assert permission.can_be_said
    having = replace(FRESH, memberships=frozenset({permission}))
    assert changes(having, FRESH, "c", "b")[0] == [give]
    assert changes(FRESH, having, "c", "b")[0] == [take]
    assert lacking(having, FRESH) == [str(permission)]


@pytest.mark.parametrize(
    "permission",
    [
        scoped("SELECT", "NEW THINGS", "SCHEMA", "s", admin=False),
        scoped("SELECT; DROP", "TABLES", "SCHEMA", "s", admin=False),
        assumed("x' TO PUBLIC --", "COPY"),
        assumed("default-aws-iam-role", "NEW COMMAND"),
        of_system("IGNORE RLS"),
    ],
    ids=str,
)
def test_permissions_that_no_known_statement_gives(permission: Permission) -> None:
    assert unsayable(replace(FRESH, memberships=frozenset({permission})), FRESH) == [
        str(permission)
    ]


def test_a_view_without_a_column_is_done_without_and_told() -> None:
    def run(query: str, *_: object) -> list[tuple[object, ...]]:
        if "privilege_scope" in query:
            raise UnexpectedError("the server says: no such column (42703)", "Report it.")
        return [("app", False, False, None, None)] if query == USERS else []

    catalog = Catalog.of(run, "app")
    assert set(catalog.rights()) == {"app"}
    assert {"SVV_SCHEMA_PRIVILEGES", "SVV_DATABASE_PRIVILEGES"} <= catalog.missing


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
