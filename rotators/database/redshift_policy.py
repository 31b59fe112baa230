"""The passwords that Redshift takes in clear. A hash of any other would pass it unchecked."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.errors import InvalidSetting

if TYPE_CHECKING:
    from rotators.passwords import PasswordPolicy

# r_CREATE_USER. A space is in no drawn password anyway.
_LENGTHS = range(8, 65)
_FORBIDDEN = "'\"\\/@"


def lawful(policy: PasswordPolicy) -> PasswordPolicy:
    """The same, without what Redshift takes in no password, and with one of each type at least."""
    chosen = policy.exclude_characters
    excluded = chosen if chosen is None else chosen + _FORBIDDEN
    return replace(policy, exclude_characters=excluded, require_each_included_type=True)


def require_lawful(policy: PasswordPolicy) -> None:
    """Raises InvalidSetting if the server would refuse such passwords, could it see them."""
    if policy.length not in _LENGTHS:
        raise InvalidSetting(
            f"PASSWORD_LENGTH is {policy.length}, and Redshift's passwords have {_LENGTHS[0]} to"
            f" {_LENGTHS[-1]} characters",
            f"Set it to {_LENGTHS[0]} to {_LENGTHS[-1]}, or not at all.",
        )
    without = set(policy.exclude_characters or "")
    types = (
        ("EXCLUDE_UPPERCASE", string.ascii_uppercase, policy.exclude_uppercase),
        ("EXCLUDE_LOWERCASE", string.ascii_lowercase, policy.exclude_lowercase),
        ("EXCLUDE_NUMBERS", string.digits, policy.exclude_numbers),
    )
    lacking = [name for name, all_of, out in types if out or without.issuperset(all_of)]
    if lacking:
        raise InvalidSetting(
            "Redshift's passwords have an uppercase letter, a lowercase letter and a digit, and the"
            f" settings exclude one: {', '.join(lacking)} or EXCLUDE_CHARACTERS",
            "Exclude none of the three.",
        )
