"""Breaks the rules of a rotation one by one, in a copy, and runs the tests: each has to be noticed.

    make mutants

Exits with 1 if a mutant survives, or if its text is no longer in the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Two copies, side by side: most tests wait for no other.
WORKERS = 2
REPOSITORY = Path(__file__).resolve().parent.parent
CHOSEN = ("tests/engines/test_memory.py", "tests/unit/database", "tests/unit/test_dispatcher.py")
ISSUED = (
    "tests/unit/test_exchange.py",
    "tests/engines/test_issued_example.py",
    "tests/unit/issued",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule, and the text without which it no longer holds."""

    rule: str
    file: str
    text: str
    replacement: str
    # The tests that have to notice.
    tests: tuple[str, ...] = CHOSEN


MUTANTS = (
    Mutant(
        "a value that is in place already is not looked for",
        "rotators/database/strategies/single_user.py",
        '            or search.first("AWSPENDING", [pending])\n',
        "",
    ),
    Mutant(
        "a finished version is promoted again",
        "rotators/steps.py",
        "        if stored is None:\n            value",
        "        if stored is None:\n"
        "            self._promote(metadata.holder(CURRENT))\n            value",
    ),
    Mutant(
        "a superseded version is admitted",
        "rotators/call.py",
        "    if PENDING in stages:\n        return True\n",
        "    return True\n",
    ),
    Mutant(
        "a rotation that was switched off is admitted",
        "rotators/call.py",
        "    if metadata.rotation_enabled is False:\n",
        "    if False:\n",
    ),
    Mutant(
        "an older password is sent to whatever host it is for",
        "rotators/database/strategies/single_user.py",
        "if login.same_account(self.current) and login.password not in self._passwords:",
        "if login.password not in self._passwords:",
    ),
    Mutant(
        "a retry stages another value",
        "rotators/creation.py",
        "            self._rotator(self._parse(self._staged()))\n        except",
        "            raise VersionNotFound\n        except",
    ),
    Mutant(
        "the label of a value that is in place is taken away",
        "rotators/database/strategies/base.py",
        "        if self._logs_in(rotation, pending):\n",
        "        if False:\n",
    ),
    Mutant(
        "the label is taken away although AWSCURRENT no longer logs in",
        "rotators/database/strategies/base.py",
        "        if current is not None and self._logs_in(rotation, current):\n",
        "        if True:\n",
    ),
    Mutant(
        "AWSPENDING may name another host or user",
        "rotators/database/login.py",
        "        if self.same_server(pending) and pending.username in usernames:\n",
        "        if True:\n",
    ),
    Mutant(
        "a version without a value is promoted",
        "rotators/steps.py",
        "            raise RotationRejected(error.found, error.cure) from None\n",
        "            stored = self.versions.get(self.request.secret_id, stage=CURRENT)\n",
    ),
    Mutant(
        "a value that cannot be read yet is not read again",
        "rotators/call.py",
        "READ_AGAIN_AFTER_SECONDS = (0.1, 0.3, 0.9)",
        "READ_AGAIN_AFTER_SECONDS = ()",
    ),
    Mutant(
        "a second delivery of createSecret fails",
        "rotators/creation.py",
        "                self._staged_surely()\n                return False",
        "                raise",
    ),
    Mutant(
        "the search for a password has no end",
        "rotators/database/strategies/single_user.py",
        "            if len(self.tried) == MOST_REFUSED:\n                return\n",
        "",
    ),
    Mutant(
        "versions without a label are not searched",
        "rotators/database/strategies/single_user.py",
        '            or search.first("a version without label", self.unlabelled(rotation))\n',
        "",
    ),
    Mutant(
        "an admin acts on users with administrative rights",
        "rotators/database/admin.py",
        "    if user.privileges:\n",
        "    if False:\n",
    ),
    Mutant(
        "an admin acts on users of other secrets",
        "rotators/database/admin.py",
        "    if mark is not None and (",
        "    if mark is None and (",
    ),
    Mutant(
        "an admin acts on an alternate that nothing proves to be this secret's",
        "rotators/database/strategies/alternating_users.py",
        "        if (target.mark == mark and target.mark_proves) or self.settings.admin_reset:\n",
        "        if True:\n",
    ),
    Mutant(
        "a mark that a user wrote itself proves whose its alternate is",
        "rotators/database/strategies/alternating_users.py",
        "(target.mark == mark and target.mark_proves)",
        "(target.mark == mark)",
    ),
    Mutant(
        "an admin resets a user that nothing proves to be this secret's",
        "rotators/database/strategies/single_user.py",
        "        if marked or self.settings.admin_reset:\n",
        "        if True:\n",
    ),
    Mutant(
        "alternating users go on although AWSCURRENT does not log in",
        "rotators/database/strategies/alternating_users.py",
        "        self._require_current(rotation, current)\n",
        "",
    ),
    Mutant(
        "dual-password retains without looking again under the lock",
        "rotators/database/strategies/dual_password.py",
        "                if self._logs_in(rotation, pending):\n",
        "                if False:\n",
    ),
    Mutant(
        "dual-password acts for AWSPENDING where AWSCURRENT does not log in",
        "rotators/database/strategies/dual_password.py",
        "            refused = error\n        if self._logs_in(",
        "            return stack.enter_context(self.engine.session(pending, rotation.deadline))\n"
        "        if self._logs_in(",
    ),
    Mutant(
        "an engine retains the first password although AWSCURRENT's is the second",
        "rotators/testing/memory.py",
        "        if server.passwords[username] == mine:",
        "        if mine := server.passwords[username]:",
    ),
    Mutant(
        "an admin retains passwords of users that are not to be touched",
        "rotators/database/strategies/dual_password.py",
        "                    harmless_user(rotation, by, current.username, self.engine)\n",
        "                    pass\n",
    ),
    Mutant(
        "an admin sets the password of users that are not to be touched",
        "rotators/database/admin.py",
        "    require_harmless(user, rotation.secret_arn)\n    return user\n",
        "    return user\n",
    ),
    Mutant(
        "a user that may not set its own password is left without its admin",
        "rotators/database/strategies/single_user.py",
        "        if not (own and rotation.current.get(",
        "        if True or not (own and rotation.current.get(",
    ),
    Mutant(
        "single-user leaves a second password alive",
        "rotators/database/strategies/single_user.py",
        "                self._discard_others(rotation, session, pending)\n",
        "",
    ),
    Mutant(
        "single-user leaves a second password alive where the new one is in place",
        "rotators/database/strategies/single_user.py",
        "                if not isinstance(self.engine, RetainsPassword):\n",
        "                if True:\n",
    ),
    Mutant(
        "a second password is ended although the new one may be it",
        "rotators/database/strategies/single_user.py",
        "            except ValueRefused as error:\n",
        "            except ValueRefused as error:\n"
        "                self._discard_others(rotation, session, pending)\n",
    ),
    Mutant(
        "a provider is asked with a credential that may be used up",
        "rotators/exchange.py",
        "            if self.tries >= TRIES:\n",
        "            if False:\n",
        tests=ISSUED,
    ),
    Mutant(
        "a provider is asked while another invocation asks it",
        "rotators/exchange.py",
        "            if self._standing and 0 < self._standing.until - self._clock()"
        " <= _LONGEST_SECONDS:\n",
        "            if False:\n",
        tests=ISSUED,
    ),
    Mutant(
        "of two invocations at once, both ask",
        "rotators/exchange.py",
        "            if mark is None or mark.by != self._by:\n",
        "            if False:\n",
        tests=ISSUED,
    ),
    Mutant(
        "a lost answer leaves no trace",
        "rotators/exchange.py",
        "        elif self.begun and (isinstance(error, AnswerLost) or not self._spends):\n"
        "            self.lose()\n",
        "",
        tests=ISSUED,
    ),
    Mutant(
        "a provider is asked before the mark is left",
        "rotators/issued/rotator.py",
        "            _exchange(rotation).begin(spends=spends, proof=proof)\n"
        "            fields = self.obtain(rotation)\n",
        "            fields = self.obtain(rotation)\n"
        "            _exchange(rotation).begin(spends=spends, proof=proof)\n",
        tests=ISSUED,
    ),
    Mutant(
        "what a provider has made is offered once",
        "rotators/creation.py",
        "self._pauses() if exchange.begun else iter(())",
        "iter(())",
        tests=ISSUED,
    ),
    Mutant(
        "another app's bearer is stored without proof",
        "rotators/issued/twitter_bearer.py",
        "        if not trusted and not self._proven(live):\n",
        "        if False:\n",
        tests=ISSUED,
    ),
    Mutant(
        "a mark that anybody could write proves whose the app is",
        "rotators/issued/rotator.py",
        "        return compare_digest(_exchange(rotation).proof, self._proof(rotation))\n",
        "        return bool(_exchange(rotation).tries)\n",
        tests=ISSUED,
    ),
    Mutant(
        "a bearer is invalidated although it was replaced before",
        "rotators/issued/twitter_bearer.py",
        "        if _same(live, current):\n            return None\n",
        "        return None\n",
        tests=ISSUED,
    ),
    Mutant(
        "a late createSecret does not look whether an earlier one has stored its answer",
        "rotators/exchange.py",
        "                self._versions.get(self._arn, version_id=self._version, stage=PENDING)\n",
        "                raise VersionNotFound\n",
        tests=ISSUED,
    ),
    Mutant(
        "a value that a provider has made twice is no failure",
        "rotators/creation.py",
        "                if exchange.unrepeatable:\n",
        "                if False:\n",
        tests=ISSUED,
    ),
    Mutant(
        "what another delivery has obtained meanwhile is called nobody's",
        "rotators/issued/rotator.py",
        "            _exchange(rotation).look()\n",
        "",
        tests=ISSUED,
    ),
    Mutant(
        "an attempt is begun that could outlast the invocation",
        "rotators/aws.py",
        "0 if operation in _WHILE_THERE_IS_TIME else _longest()",
        "0",
        tests=("tests/unit/test_aws.py",),
    ),
    Mutant(
        "a value that cannot be made again is not stored while there is time",
        "rotators/aws.py",
        "0 if operation in _WHILE_THERE_IS_TIME else _longest()",
        "_longest()",
        tests=("tests/unit/test_aws.py",),
    ),
    Mutant(
        "a log record of somebody else's is spared",
        "rotators/redaction.py",
        "            redactor.filter(record)\n        plain(itself, record)\n",
        "            pass\n        plain(itself, record)\n",
        tests=("tests/unit/test_redaction.py",),
    ),
    Mutant(
        "rights that the other user has are not compared",
        "rotators/database/strategies/alternating_users.py",
        "        if lacking:\n",
        "        if False:\n",
    ),
    Mutant(
        "a method of logging in is hidden by a quote",
        "rotators/database/mariadb_methods.py",
        "        if _AFTER.match(rest):\n            return methods\n"
        "        if not rest.startswith(_OR):\n            break\n",
        "        if not rest.startswith(_OR):\n            return methods\n",
        tests=("tests/unit/database/test_mariadb_methods.py",),
    ),
    Mutant(
        "a probe may lock the account",
        "rotators/database/mysql_limits.py",
        "OF_DUAL_PASSWORD = 3",
        "OF_DUAL_PASSWORD = 1",
        tests=("tests/unit/database/test_mysql_limits.py",),
    ),
    Mutant(
        "a server that is too old is changed",
        "rotators/database/mysql_limits.py",
        "    if found and tuple(map(int, found.groups())) < _OLDEST:\n",
        "    if False:\n",
        tests=("tests/unit/database/test_mysql_limits.py",),
    ),
    Mutant(
        "a server that is full is read as a wrong password",
        "rotators/database/mysql_errors.py",
        "        frozenset({1040, 1203, 1226}),\n        ServerUnreachable,",
        "        frozenset({1040, 1203, 1226}),\n        LoginRefused,",
        tests=("tests/unit/database/test_mysql_errors.py",),
    ),
    Mutant(
        "whoever may write the system's tables is no administrator",
        "rotators/database/mysql_grants.py",
        '        return self.privilege.split(" (")[0] in _WRITING and _is_system(self.on)\n',
        "        return False\n",
        tests=("tests/unit/database/test_mysql_grants.py",),
    ),
    Mutant(
        "a partial revoke is not compared",
        "rotators/database/mysql_grants.py",
        "    less = {right for right in had - wanted if right.privilege.startswith(_NOT)}\n",
        "    less = set()\n",
        tests=("tests/unit/database/test_mysql_grants.py",),
    ),
)


def main() -> int:
    """Runs the tests on the source as it is, then on every mutant."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(WORKERS) as workers:
        roots = [_copy(Path(directory, str(number))) for number in range(WORKERS)]
        if not all(_passes(roots[0], tests) for tests in {mutant.tests for mutant in MUTANTS}):
            return _say("the tests fail without any mutation: mend that first", 1)
        parts = [(root, MUTANTS[number::WORKERS]) for number, root in enumerate(roots)]
        survivors = [
            rule for rules in workers.map(_survivors, *zip(*parts, strict=True)) for rule in rules
        ]
    for rule in survivors:
        _say(f"SURVIVED  {rule}")
    killed = len(MUTANTS) - len(survivors)
    return _say(f"{killed} of {len(MUTANTS)} mutants were noticed", int(bool(survivors)))


def _copy(root: Path) -> Path:
    root.mkdir()
    for name in ("rotators", "tests", "docs", "pyproject.toml"):
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    return root


def _survivors(root: Path, mutants: Sequence[Mutant]) -> list[str]:
    return [mutant.rule for mutant in mutants if not _falls(root, mutant)]


def _falls(root: Path, mutant: Mutant) -> bool:
    path = root / mutant.file
    original = path.read_text()
    if original.count(mutant.text) != 1:
        raise SystemExit(f"{mutant.file} no longer has the text of: {mutant.rule}")
    path.write_text(original.replace(mutant.text, mutant.replacement))
    try:
        fallen = not _passes(root, mutant.tests)
    finally:
        path.write_text(original)
    if fallen:
        _say(f"noticed   {mutant.rule}")
    return fallen


def _passes(root: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(  # noqa: S603 this interpreter
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    return run.returncode == 0


def _say(text: str, status: int = 0) -> int:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
