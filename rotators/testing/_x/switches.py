"""How the fake behaves where X is not documented, or not in one voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rotators.testing._x.messages import NO_BASIC, SPENT

# A status and its body.
Reply: TypeAlias = tuple[int, Mapping[str, object]]


@dataclass(slots=True, eq=False)
class Switches:
    """To be set at any time. Documented: X's pages say so. Community: users report it. Open: nobody
    has established it.

    - `invalidate_by_basic`: a bearer is invalidated by HTTP Basic and the body (documented; users
      report that it ceased to work in 2019).
    - `invalidate_by_oauth1`: a bearer is invalidated by an OAuth 1.0a signature and the query
      (documented, and at odds with the page that says Basic).
    - `kills_family`: a spent refresh token that is used again ends the grant: its access and its
      refresh token die (community).
    - `access_dies_on_refresh`: the old access token dies at the refresh, and not later (open).
    - `one_grant_per_app`: a new consent ends the app's earlier grants (open).
    - `spent_answer`: to a refresh token that is spent, revoked or unknown (community).
    - `no_basic_answer`: to a client that does not identify itself as it has to (community).
    - `too_often_after`: this request to the two app-only endpoints, counted from the start of the
      server, and every later one, is refused with code 99 (documented, without a number).
    - `out_of_credits`: reads are answered 402 (community).
    - `expires_in`: seconds an access token lives (documented: 7200).
    - `refresh_expires_in`: seconds a refresh token lives; None: for ever (documented nowhere;
      community: six months).
    """

    invalidate_by_basic: bool = True
    invalidate_by_oauth1: bool = True
    kills_family: bool = True
    access_dies_on_refresh: bool = True
    one_grant_per_app: bool = False
    spent_answer: Reply = (400, SPENT)
    no_basic_answer: Reply = (401, NO_BASIC)
    too_often_after: int | None = None
    out_of_credits: bool = False
    expires_in: int = 7200
    refresh_expires_in: int | None = None
