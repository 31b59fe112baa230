"""The fake X of a demonstration, and what its acts have in common."""

from __future__ import annotations

import ssl
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from rotators.cli.demo_server import Finding
from rotators.cli.stage import Scenery, scenery
from rotators.cli.watched import WatchedRotation
from rotators.settings import Settings
from rotators.testing.twitter import App, TwitterServer

if TYPE_CHECKING:
    from rotators.cli.delivery import Recorder

_SECONDS = 10
_HIDDEN = (
    "api_key", "api_key_secret", "client_secret", "bearer_token", "access_token", "refresh_token",
)  # fmt: skip


@dataclass(kw_only=True)
class XStage(Scenery):
    """With the fake X."""

    x: TwitterServer

    def know(self, value: Mapping[str, Any]) -> None:
        """From now on ``shows`` looks for this value's tokens and keys, too."""
        self.remember(*(value[key] for key in _HIDDEN if key in value))

    def accepts(self, token: str) -> bool:
        """Whether X knows the token: by a request to it, not by a look into the fake."""
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        url = urlsplit(self.x.base_url)
        connection = HTTPSConnection(str(url.hostname), url.port, timeout=_SECONDS, context=context)
        with closing(connection):
            connection.request("GET", "/2/users/me", headers={"Authorization": f"Bearer {token}"})
            # Known, and yet forbidden there, is an app's bearer: it is no user's.
            return connection.getresponse().status != HTTPStatus.UNAUTHORIZED


@contextmanager
def x_stage() -> Iterator[XStage]:
    """The fake X with TLS; it is gone at the end."""
    with scenery() as made, TwitterServer(tls=made.certificates.server) as x:
        yield XStage(
            certificates=made.certificates,
            simulator=made.simulator,
            versions=made.versions,
            x=x,
        )


@dataclass
class XAct(WatchedRotation):
    """One credential of one app. ``asked`` has the paths that the function asked X at, in order."""

    stage: XStage
    app: App
    asked: list[str] = field(default_factory=list)
    _earlier: int = 0

    credential: ClassVar[str]
    let_in: ClassVar[str] = "accepted"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stage.know(self.old)

    @classmethod
    @abstractmethod
    def on(cls, stage: XStage) -> Self:
        """The act, with an app of its own."""

    @property
    def title(self) -> str:
        return self.credential

    def settings(self) -> Settings:
        return Settings(ca_bundle=self.stage.certificates.ca)

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        self.stage.know(value)
        return self.stage.accepts(value[self.key])

    def document(self) -> dict[str, object]:
        return {"credential": self.credential}

    def recorder(self, settings: Settings) -> Recorder:
        made = super().recorder(settings)
        made.sleep = lambda _: None  # there is no other invocation to give way to
        return made

    def handle(self, recorder: Recorder, event: object, context: object) -> None:
        before, self._earlier = len(self.stage.x.calls), len(self.asked)
        try:
            super().handle(recorder, event, context)
        finally:
            self.asked += [call.path for call in self.stage.x.calls[before:]]

    def told(self, recorder: Recorder) -> str:
        return f"{super().told(recorder)}\n{self.requests()}"

    def requests(self) -> str:
        """How often the last event made the function ask X."""
        number = len(self.asked) - self._earlier
        return f"{number or 'no'} request{'' if number == 1 else 's'} to X"

    def replaced(self) -> Iterator[Finding]:
        """Whether one has taken the other's place at X."""
        new = self.new or self.old
        yield Finding(f"X refuses the old {self.named}", not self.logs_in(self.old))
        yield Finding(f"X accepts the new {self.named}", self.logs_in(new))
