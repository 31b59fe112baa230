"""rotators function: a build, a server that is started for it, one event."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.function import function
from rotators.cli.function_delivery import Delivery
from rotators.cli.function_sam import _LOCKED_SAM as LOCKED
from rotators.cli.function_sam import Docker, DockerMissing, find_docker
from rotators.target import Target, this_architecture, this_python
from tests.deploy.builds import REPOSITORY, drivers_of
from tests.servers import require_installation, skip_or_fail
from tests.servers_mysql import require_installation as require_mysql

if TYPE_CHECKING:
    from tests.deploy.runtime_targets import Builds

pytest_plugins = ["tests.deploy.runtime_fixtures"]

EVENTS = REPOSITORY / "events"
NAME = "PostgreSQLFunction"
# What SAM CLI and Docker would do, by Lambda's runtime client instead.
SAM = """#!{python}
import json, os, sys
from pathlib import Path
from rotators.testing.runtime import FunctionError, LambdaFunction
given = sys.argv[1:]
assert given[:3] == ["local", "invoke", "PostgreSQLFunction"], given
options = dict(zip(given[3::2], given[4::2]))
assert options["--event"] == "-"
host, _, address = options["--add-host"].partition(":")
resources = json.loads(Path(options["--template"]).read_text())["Resources"]
properties = resources["PostgreSQLFunction"]["Properties"]
code = properties["CodeUri"]
variables = {{
    name: value.replace("/var/task", code).replace(host, address)
    for name, value in properties["Environment"]["Variables"].items()}}
variables["PGHOSTADDR"] = address  # of whatever host libpq is told
Path({seen!r}).write_text(json.dumps({{**properties, "environ": dict(os.environ)}}))
if variables.get("BROKEN"):
    sys.exit("Error: Running AWS SAM projects locally requires a container runtime.")
if "SAID" in variables:
    print(variables["SAID"])
    sys.exit()
with LambdaFunction(Path(code), handler=properties["Handler"], environment=variables) as function:
    try:
        print(json.dumps(function.invoke(json.load(sys.stdin))))
    except FunctionError as error:
        print(json.dumps({{"errorType": error.error_type, "errorMessage": error.error_message,
                           "stackTrace": error.stack_trace, "requestId": ""}}))
    sys.stderr.write("START RequestId: 1 Version: $LATEST\\n" + function.log_text())
"""
# The locked SAM CLI, on an engine that is asked for a container and makes none.
LOCKED_SAM = """#!{python}
import json, sys
from pathlib import Path
from unittest.mock import MagicMock, patch
from samcli.local.docker import utils
client = MagicMock()
utils.get_validated_container_client = lambda: client
from samcli.cli.main import cli
from samcli.local.docker.lambda_container import LambdaContainer
def create(image, extra_hosts=None, environment=None, network=None, network_mode=None, **_):
    Path({seen!r}).write_text(json.dumps([extra_hosts, environment, network or network_mode]))
    sys.exit("That will do.")
client.containers.create = create
client.networks.get.side_effect = SystemExit("There is no such network.")
with patch.object(LambdaContainer, "_get_image", return_value="samcli/lambda-python:3"):
    cli()
"""
# An engine whose bridge has an address of this machine's that nothing else listens on.
ENGINE = "#!/bin/sh\necho 127.0.0.2\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where builds are looked for; what is not in programs/ is not on the PATH."""
    require_installation("15")
    programs = tmp_path / "programs"
    programs.mkdir()
    which = shutil.which

    def found(name: str) -> str | None:
        return which(name, path=str(programs) if name in {"sam", "docker"} else None)

    monkeypatch.setattr(shutil, "which", found)
    monkeypatch.setattr("rotators.cli.function_sam._LOCKED_SAM", "nowhere")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def host(builds: Builds) -> list[str]:
    """The option that names the build for this machine."""
    return ["--build", str(builds.host(NAME))]


def call(event: str | Path, *options: str, name: str = NAME) -> Result:
    result = CliRunner().invoke(function, [name, str(EVENTS / event), *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def program(name: str, text: str) -> None:
    path = Path("programs", name)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_steps_before_the_events_are_played_and_values_log_in(host: list[str]) -> None:
    result = call("test_secret.json", *host)
    assert result.exit_code == 0, result.output
    assert result.output.count("(played first)") == 2
    assert "made the value valid" in result.output
    assert "AWSCURRENT's value is refused and AWSPENDING's value logs in." in result.output
    assert "in Lambda's runtime client" in result.output
    assert "no password" in result.output


def test_a_whole_rotation_by_two_users(host: list[str]) -> None:
    result = call("rotation.json", *host, "--strategy", "alternating-users", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [step["outcome"] for step in told["steps"]][-1] == "promoted the value to AWSCURRENT"
    assert sorted(told["labels"].values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert "On the server, AWSCURRENT's value logs in." in told["notes"]


def test_an_attach_that_only_tests(host: list[str]) -> None:
    result = call("test_only.json", *host, "--test-only")
    assert result.exit_code == 0, result.output
    assert "test-only: no value is staged" in result.output
    assert "AWSCURRENT's value logs in." in result.output


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_the_other_servers_that_can_be_started(engine: Any, builds: Builds) -> None:
    require_mysql(engine)
    name = {"mysql": "MySQLFunction", "mariadb": "MariaDBFunction"}[engine]
    options = "--build", str(builds.host(name)), "--strategy", "dual-password"
    result = call("set_secret.json", *options, name=name)
    assert result.exit_code == 0, result.output
    assert "AWSCURRENT's value logs in and AWSPENDING's value logs in." in result.output


def test_without_a_build_it_makes_one(elsewhere: Path) -> None:
    result = call("create_secret.json")
    assert result.exit_code == 0, result.output
    assert f"The function is build/local/{NAME} (Python {this_python()}" in result.output
    assert (elsewhere / "build/local" / NAME / "rotators/handler.py").is_file()


def test_a_build_for_this_machine_is_taken_as_it_is(elsewhere: Path, builds: Builds) -> None:
    shutil.copytree(builds.host(NAME), elsewhere / "build" / NAME)
    assert f"The function is build/{NAME} " in call("create_secret.json").output
    assert not (elsewhere / "build/local").exists()


def test_a_build_for_lambda_is_left_alone(elsewhere: Path, builds: Builds) -> None:
    usual = shutil.copytree(builds.host(NAME), elsewhere / "build" / NAME)
    other = "arm64" if this_architecture() == "x86_64" else "x86_64"
    (usual / "rotators/target.json").write_text(Target(NAME, "3.13", other).text())
    before = (usual / "rotators/target.json").read_bytes()
    assert f"The function is build/local/{NAME} " in call("create_secret.json").output
    assert (usual / "rotators/target.json").read_bytes() == before


@pytest.mark.parametrize(
    ("variable", "code", "said"),
    [
        ("PASSWORD_LENGTH=x", 1, "Permanent error: the environment variable PASSWORD_LENGTH"),
        ("SECRETS_MANAGER_ENDPOINT=http://127.0.0.1:1", 3, "Passing error, try again: "),
        ("ROTATION_CA_BUNDLE=", 1, "set ROTATION_CA_BUNDLE to a PEM file"),
    ],
)
def test_an_error_of_the_function_is_told(
    host: list[str], variable: str, code: int, said: str
) -> None:
    result = call("set_secret.json", *host, "-e", variable)
    assert result.exit_code == code
    assert said in result.stderr
    assert "failed: " in result.stdout
    assert "AWSCURRENT's value logs in" in result.stdout


def test_a_function_that_cannot_be_started_is_told(elsewhere: Path) -> None:
    broken = elsewhere / "broken" / "rotators"
    broken.mkdir(parents=True)
    target = Target(NAME, this_python(), this_architecture())
    (broken / "target.json").write_text(target.text())
    result = call("create_secret.json", "--build", "broken")
    assert result.exit_code == 1
    assert "the runtime says Runtime.ImportModuleError: " in result.stderr


def test_the_log_is_shown_on_demand(host: list[str]) -> None:
    lines = call("create_secret.json", *host, "-v").stderr.splitlines()
    (line,) = [read for read in map(json.loads, lines) if "duration_ms" in read]
    assert line["message"] == "staged a new value"


def test_a_log_that_shows_a_password_is_an_error(
    host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotators.cli.stage.Stage.shows_password", lambda *_: True)
    result = call("create_secret.json", *host)
    assert result.exit_code == 1
    assert "the function's log shows a password" in result.stderr


def test_an_interruption_is_told(host: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Delivery, "play", interrupted)
    result = call("create_secret.json", *host)
    assert result.exit_code == 130
    assert "Interrupted." in result.stderr


@pytest.mark.parametrize(
    "name",
    ["SQLServerFunction", "OracleFunction", "RedshiftFunction", "DocumentDBFunction",
     "TwitterFunction"],
)  # fmt: skip
def test_where_no_server_can_be_had_it_says_what_can_be_done(name: str, elsewhere: Path) -> None:
    assert drivers_of(name)
    result = call("create_secret.json", name=name)
    assert result.exit_code == 2
    assert f"No server for {name} can be started" in result.stderr
    assert "rotators invoke EVENT.json --secret secret.json" in result.stderr
    assert not (elsewhere / "build").exists()


@pytest.mark.parametrize(
    ("event", "options", "said"),
    [
        ("rotation.json", ["--strategy", "dual-password"], "cannot be rotated by 'dual-password'"),
        ("rotation.json", ["-e", "PASSWORD_LENGTH"], "--env PASSWORD_LENGTH is not NAME=VALUE"),
        ("rotation.json", ["--test-only"], "--test-only needs a testSecret event"),
        ("README.md", [], "is not JSON"),
        ("rotation.json", ["--build", "programs"], "programs is no build"),
        ("rotation.json", ["--docker"], "There is no sam on the PATH"),
    ],
)
def test_wrong_usage(event: str, options: list[str], said: str) -> None:
    result = call(event, *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_the_event_lacks_is_a_permanent_error(host: list[str]) -> None:
    result = call("bad_step.json", *host)
    assert result.exit_code == 1
    assert "Send one of createSecret" in result.stderr


class TestDocker:
    """``sam local invoke``, played: neither SAM CLI nor an engine is needed."""

    @pytest.fixture
    def seen(
        self, elsewhere: Path, host: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], Any]:
        """What SAM CLI was given. The build is made before the environment is upset."""
        file = elsewhere / "seen.json"
        program("docker", ENGINE)
        program("sam", SAM.format(python=sys.executable, seen=str(file)))
        monkeypatch.setenv("AWS_PROFILE", "production")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebody's")
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
        return lambda: json.loads(file.read_text())

    def test_events_go_to_a_container(
        self, host: list[str], seen: Callable[[], Mapping[str, Any]]
    ) -> None:
        result = call("set_secret.json", *host)
        assert result.exit_code == 0, result.output
        assert "in a container, by sam local invoke" in result.output
        assert "AWSCURRENT's value is refused and AWSPENDING's value logs in." in result.output
        given = seen()
        assert given["Handler"] == "rotators.handler.lambda_handler"
        assert given["Runtime"] == f"python{this_python()}"
        assert given["Architectures"] == [this_architecture()]
        assert given["Environment"]["Variables"]["ROTATION_CA_BUNDLE"].startswith("/var/task/")
        environ = given["environ"]
        assert environ["AWS_SECRET_ACCESS_KEY"] == "simulated"
        assert "AWS_PROFILE" not in environ
        assert environ["SAM_CLI_TELEMETRY"] == "0"
        assert environ["DOCKER_HOST"] == "unix:///nowhere"

    def test_a_container_of_the_locked_sam_finds_this_machine(
        self, elsewhere: Path, host: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python, seen = Path(sys.prefix, ".sam/bin/python"), elsewhere / "seen.json"
        if not python.exists():
            skip_or_fail("sam is not installed: make lint")
        program("docker", ENGINE)
        program("sam", LOCKED_SAM.format(python=python, seen=str(seen)))
        result = call("create_secret.json", *host)
        assert "That will do." in result.stderr
        hosts, environment, network = json.loads(seen.read_text())
        assert hosts == {"host.docker.internal": "127.0.0.2"}
        assert environment["SECRETS_MANAGER_ENDPOINT"].startswith("http://host.docker.internal:")
        assert network is None

    @pytest.mark.usefixtures("seen")
    def test_an_error_of_the_function_is_told(self, host: list[str]) -> None:
        result = call("create_secret.json", *host, "-e", "PASSWORD_LENGTH=x")
        assert result.exit_code == 1
        assert "PASSWORD_LENGTH" in result.stderr
        assert "failed: invalid-setting" in result.stdout

    @pytest.mark.usefixtures("seen")
    def test_an_error_of_sam_is_told(self, host: list[str]) -> None:
        result = call("create_secret.json", *host, "-e", "BROKEN=1")
        assert result.exit_code == 1
        assert "sam local invoke failed" in result.stderr
        assert "requires a container runtime" in result.stderr

    @pytest.mark.usefixtures("seen")
    def test_an_error_of_the_runtimes_own_is_told(self, host: list[str]) -> None:
        """As the runtime interface emulator tells of a process that died: without a trace."""
        died = '{"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}'
        result = call("create_secret.json", *host, "-e", f"SAID={died}")
        assert result.exit_code == 1
        assert "the runtime says Runtime.ExitError: signal: killed" in result.stderr

    @pytest.mark.usefixtures("seen")
    def test_an_answer_that_is_no_json_is_told(self, host: list[str]) -> None:
        result = call("create_secret.json", *host, "-e", "SAID=Invoke Mode: buffered")
        assert result.exit_code == 1
        assert "answered what is not JSON" in result.stderr

    @pytest.mark.usefixtures("seen")
    def test_one_that_hangs_is_told(self, host: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rotators.cli.function_sam._FETCH_SECONDS", -29.9)
        result = call("create_secret.json", *host)
        assert result.exit_code == 1
        assert "sam local invoke did not end within" in result.stderr

    @pytest.mark.usefixtures("seen")
    def test_it_can_be_left_out(self, host: list[str]) -> None:
        result = call("create_secret.json", *host, "--no-docker")
        assert "in Lambda's runtime client" in result.output

    @pytest.mark.usefixtures("seen")
    @pytest.mark.parametrize(
        ("engine", "said"),
        [
            ("exit 1", "No Docker engine answers"),
            # An address for documentation, and none of anybody's.
            ("echo 192.0.2.1", "'192.0.2.1', which is none of this machine's"),
            ("echo", "'', which is none of this machine's"),
        ],
    )
    def test_an_engine_that_is_out_of_reach_is_told(self, engine: str, said: str) -> None:
        program("docker", f"#!/bin/sh\n{engine}\n")
        result = call("create_secret.json", "--docker")
        assert result.exit_code == 2
        assert said in result.stderr
        assert "--no-docker" in result.stderr

    @pytest.mark.usefixtures("seen")
    def test_an_engine_that_is_out_of_reach_is_left_out(self, host: list[str]) -> None:
        program("docker", "#!/bin/sh\necho 192.0.2.1\n")
        assert "in Lambda's runtime client" in call("create_secret.json", *host).output

    def test_the_sam_that_make_sets_up_will_do_where_docker_is_insisted_on(
        self, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert f"SAM ?= $(VENV)/{LOCKED}\n" in (REPOSITORY / "Makefile").read_text()
        program("docker", ENGINE)
        program("sam-of-make", "")
        ours = elsewhere / "programs/sam-of-make"
        monkeypatch.setattr("rotators.cli.function_sam._LOCKED_SAM", ours)
        assert find_docker(insisted=True) == Docker(ours, "127.0.0.2")
        with pytest.raises(DockerMissing, match="no sam on the PATH"):
            find_docker(insisted=False)


def test_the_documented_example_runs(
    elsewhere: Path, builds: Builds, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (REPOSITORY / "docs/local.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shutil.copytree(builds.host(NAME), elsewhere / "build/local" / NAME)
    exec(example, {})  # noqa: S102 our own
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ServerUnreachable"
    assert "staged a new value" in said
