"""template.yaml as its readers have it: SAM's, and CloudFormation's after SAM's transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boto3.session import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

Template = dict[str, Any]

# Where `sam package` would have put the code: the transform takes no local folder.
_PACKAGED = "s3://packages/code.zip"


def read(path: Path = TEMPLATE) -> Template:
    """The template as it is written, its aliases followed, ``!Ref`` and the like in long form."""
    template: Template = yaml_parse(path.read_text())
    return template


def translated(path: Path = TEMPLATE) -> Template:
    """What CloudFormation makes a stack of. Asks nobody: no managed policy is named by name."""
    template = read(path)
    template.setdefault("Globals", {}).setdefault("Function", {})["CodeUri"] = _PACKAGED
    # The Region only chooses the partition of managed policies, of which there are none.
    translator = Translator({}, Parser(), boto_session=Session(region_name="eu-central-1"))
    made: Template = translator.translate(template, parameter_values={})
    return made
