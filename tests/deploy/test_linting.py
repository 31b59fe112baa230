"""What lints the template finds what is wrong with one. `make lint` lints ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.linting import as_cloudformation, as_written, main, sam
from tests.servers import skip_or_fail

SMALL = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: code/}}
Resources:
  SmallFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      Runtime: python3.13
      FunctionName: !Sub ${AWS::StackName}-Small
      Policies:
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: secretsmanager:GetSecretValue
              Resource: "*"
              Condition:
                StringEquals:
                  secretsmanager:resource/AllowRotationLambdaArn:
                    !Sub arn:aws:lambda:${AWS::Region}:1:function:${AWS::StackName}-Small
"""
# The last line names the function by its name; this names it by itself.
CIRCLE = ("function:${AWS::StackName}-Small", "function:${SmallFunction}")
RUNTIME = ("python3.13", "python3.16")
PROPERTY = ("Handler: a.b", "Handler: a.b\n      Memory: 512")


def written(folder: Path, this: str = "", instead: str = "") -> Path:
    path = folder / "template.yaml"
    path.write_text(SMALL.replace(this, instead) if this else SMALL)
    return path


@pytest.fixture
def installed() -> None:
    if sam() is None:
        skip_or_fail("sam is not installed: make lint")


def test_a_small_template_is_good(tmp_path: Path) -> None:
    assert as_cloudformation(written(tmp_path)) == ""


def test_a_circle_of_function_and_role_is_found(tmp_path: Path) -> None:
    found = as_cloudformation(written(tmp_path, *CIRCLE))
    assert "E3004" in found
    assert "SmallFunctionRole" in found


def test_a_runtime_that_lambda_does_not_have_is_found(tmp_path: Path) -> None:
    assert "E3030 'python3.16' is not one of" in as_cloudformation(written(tmp_path, *RUNTIME))


def test_what_sam_does_not_know_is_found(tmp_path: Path) -> None:
    found = as_cloudformation(written(tmp_path, *PROPERTY))
    assert "property Memory not defined" in found


def test_what_sam_finds_is_said(installed: None, tmp_path: Path) -> None:
    path = written(tmp_path, *PROPERTY)
    assert "Memory" in as_written(path)
    assert as_written(path) in str(main([str(path)]))


def test_a_sam_of_ones_own_is_found_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "sam"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SAM", "sam")
    assert sam() == own


def test_a_missing_sam_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAM", str(tmp_path / "sam"))
    said, found = str(main([str(written(tmp_path, *PROPERTY))])).split("\n\n")
    assert said == "sam is not installed: run `make lint`, or name it by SAM=path"
    assert "property Memory not defined" in found
