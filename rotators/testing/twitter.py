"""A fake X (Twitter) in memory, for tests of what rotates its tokens.

It speaks HTTP on a loopback port, plain or TLS, and follows X's pages where they speak: one bearer
per app, refresh tokens of one use, refusals that do not tell why. What only users report, or nobody
knows, is a switch. It was never compared with X itself. Invalidation signed by OAuth 1.0a needs the
extra ``twitter``.

    with TwitterServer() as x:
        app = x.new_app()
        bearer = x.issue_bearer(app)
        # POST {x.base_url}/oauth2/invalidate_token …
        assert not x.accepts(bearer)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rotators.testing._x.apps import App
from rotators.testing._x.grants import Grants
from rotators.testing._x.messages import Answer, Body, Call, Refused, Request, Where, usual_body
from rotators.testing._x.plans import Fault, Hook, Plans
from rotators.testing._x.service import Service
from rotators.testing._x.switches import Switches
from rotators.testing._x.wire import Delivery, Server

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from rotators.testing.certificates import KeyPair

__all__ = ["App", "Call", "Switches", "TwitterServer"]


class TwitterServer(Switches):
    """X inside a `with` block, for any number of threads and processes.

    `Switches` says what can be switched, and whether X documents it. Paths: POST /oauth2/token,
    /oauth2/invalidate_token, /2/oauth2/token (refresh only), /2/oauth2/revoke; GET /2/users/me.

    Methods of this object are no requests: neither recorded, nor counted, nor failed.
    """

    def __init__(self, *, tls: KeyPair | None = None) -> None:
        super().__init__()
        self._tls = tls
        self._plans = Plans()
        self._service = Service(self, Grants(self))
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._server = Server(self._respond, self._tls)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.stop()
        self._server = None

    @property
    def base_url(self) -> str:
        """In front of every path: https://localhost with TLS, else http://127.0.0.1."""
        if self._server is None:
            raise RuntimeError("the X server listens only inside its with block")
        return self._server.url

    # ── what a test reads ──

    @property
    def calls(self) -> list[Call]:
        """Every request, in the order of arrival."""
        return self._plans.calls

    def bearer(self, app: App) -> str | None:
        """The app's outstanding bearer; None if it was invalidated, or never asked for."""
        with self._service.lock:
            return self._service.apps.bearer(app)

    def accepts(self, access_token: str) -> bool:
        """Whether a call with this token, a bearer's or a person's, is let in now."""
        return self._service.accepts(access_token)

    def refreshes(self, refresh_token: str) -> bool:
        """Whether this refresh token is alive and not spent."""
        with self._service.lock:
            return self._service.grants.refreshes(refresh_token)

    # ── what a test plans ──

    def new_app(self, *, confidential: bool = True) -> App:
        """An app of its own; a public client, without a client secret, if not confidential."""
        with self._service.lock:
            return self._service.apps.add(confidential=confidential)

    def issue_bearer(self, app: App) -> str:
        """As POST /oauth2/token: the outstanding bearer, or a new one. Repeatable."""
        with self._service.lock:
            return self._service.apps.issue(app)

    def authorize(
        self, app: App, scope: str = "tweet.read users.read offline.access"
    ) -> dict[str, Any]:
        """What a person's consent gives, each time anew: X's answer with a first pair of tokens.

        Without the scope offline.access there is no refresh token in it.
        """
        with self._service.lock:
            return self._service.grants.consent(app, scope)

    def advance(self, by: timedelta) -> None:
        """Move X's clock: access tokens expire."""
        with self._service.lock:
            self._service.grants.advanced += by.total_seconds()

    # Planned faults of a path queue up, and each request takes one.

    def fail_next(self, path: str, status: int, body: Body | None = None, times: int = 1) -> None:
        """Answer an error without any effect; by default with the body that X is known to send.

        A text as the body is sent as it is, as a gateway's page would be.
        """
        answer = Answer(status, usual_body(path, status) if body is None else body)
        self._plans.add_fault(path, Fault(instead=answer), times)

    def drop_next_answer(self, path: str, times: int = 1) -> None:
        """Close the connection instead of answering; the effect stays."""
        self._plans.add_fault(path, Fault(dropped=True), times)

    def slow_next(self, path: str, seconds: float, *, where: Where, times: int = 1) -> None:
        """Take so long over the answer; the effect comes first.

        "before": silence, then the answer. "headers" and "body": that part byte by byte, so that
        the client never waits long for the next. Ends early when the client hangs up, or the
        server stops.
        """
        self._plans.add_fault(path, Fault(slow=where, seconds=seconds), times)

    def before(self, path: str, hook: Hook, *, times: int | None = None) -> None:
        """Run `hook(call)` before each request (or the next `times`) has its effect.

        Hooks run without a lock, in the server's thread, before planned faults are looked at. An
        exception that one raises becomes a 500, which here stands for the effect.
        """
        self._plans.add_hook(path, hook, times, after=False)

    def after(self, path: str, hook: Hook, *, times: int | None = None) -> None:
        """As `before`, between the effect and the answer. Not run for a refused request."""
        self._plans.add_hook(path, hook, times, after=True)

    # ── how a request is answered ──

    def _respond(self, request: Request) -> Delivery | None:
        call = Call(request.method, request.path)
        number, fault = self._plans.arrived(call), Fault()
        try:
            self._plans.run_before(call)
            fault = self._plans.fault(call.path)
            answer = fault.instead or self._performed(request)
        except Refused as refused:
            answer = refused.answer
        if fault.dropped:
            return None
        self._plans.answered(number, answer.status)
        return Delivery(answer, fault.slow, fault.seconds)

    def _performed(self, request: Request) -> Answer:
        # The origin as the client names it, for that is what it signed.
        scheme = self.base_url.partition(":")[0]
        answer = self._service.perform(request, f"{scheme}://{request.headers.get('host', '')}")
        self._plans.run_after(Call(request.method, request.path, answer.status))
        return answer
