"""The mark of an exchange with a provider, on disk while no simulator remembers it.

``rotators.exchange`` leaves a tag on the secret. A simulated secret is another one in each run, so
the tag goes into a file beside the value that the exchange uses up, and counts for that value only.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.cli.files import FilesError
from rotators.exchange import TAG, Mark

if TYPE_CHECKING:
    from rotators.cli.files import SecretFiles
    from rotators.versions import Versions


class ExchangeFile:
    """The tag of the secret in ``files``. Only for a run that has locked them."""

    def __init__(self, files: SecretFiles) -> None:
        self._files = files
        self._of = _fingerprint(files.current())

    def restore(self, versions: Versions, secret_id: str, current: str) -> None:
        """Puts the tag that an earlier run has left on the secret; ``current`` is AWSCURRENT's id.

        One that is about another value is removed. Raises FilesError.
        """
        mark = self._read()
        if mark is None:
            self.keep(None)
            return
        # Whoever left it has let go of the lock: it waits for no answer any more.
        versions.tag(secret_id, TAG, str(replace(mark, source=current, until=0)))

    def keep(self, tag: str | None) -> None:
        """Stores what the tag says; None: there is none. Repeatable. Raises FilesError."""
        path = self._files.exchange
        try:
            if tag is not None:
                self._files.write(path, json.dumps({"value": self._of, "tag": tag}))
            elif os.path.lexists(path):
                path.unlink()
        except OSError as error:
            raise FilesError(f"Cannot keep the tag {TAG} in {path}: {error}.") from None

    def _read(self) -> Mark | None:
        path = self._files.exchange
        if not os.path.lexists(path):
            return None
        # It counts as proof that an earlier run has asked for this secret.
        self._files.require_own(path)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            of, mark = kept["value"], Mark.read(kept["tag"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise FilesError(
                f"{path} is not as a run has left it ({type(error).__name__}). Move it away if you"
                " know that no provider was asked for a new value."
            ) from None
        return mark if of == self._of else None


def _fingerprint(text: str) -> str:
    """The same for the same value, however it is laid out."""
    return hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()
