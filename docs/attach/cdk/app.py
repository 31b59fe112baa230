"""One secret, and the function that rotates it, by any strategy. Needs aws-cdk-lib, Node.js, cdk.

    cdk deploy -c name=app/orders -c strategy=single-user -c engine=postgres \\
        -c host=orders.example.com -c username=orders -c functionArn=ARN

Then store the value, make the user in the database, and deploy again with ``-c attach=true``. For
a function of another account add ``-c functionRoleArn=ARN``; there, between the two, deploy

    cdk deploy -c functionArn=ARN -c functionRoleArn=ARN -c secretArn=ARN -c keyArn=ARN

Each secret has stacks of its own, RotatedSecret-… and FunctionAccount-…
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from aws_cdk import App, Aws, CfnOutput, CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_secretsmanager as secrets

if TYPE_CHECKING:
    from constructs import Construct

STRATEGIES = ("single-user", "alternating-users", "dual-password")

# What a rotation does with a secret, and with the key of a secret that another account shares.
SECRET_ACTIONS = [
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
]
KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]
KEY_CONTEXT = "kms:EncryptionContext:SecretARN"


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """What there is to say of one secret. ``strategy`` is a tag, for people, and a check."""

    name: str
    strategy: str
    engine: str
    host: str
    username: str
    function_arn: str
    dbname: str | None = None
    admin_secret_arn: str | None = None
    function_role_arn: str | None = None  # of a function in another account
    attach: bool = False
    schedule: str = "cron(0 2 1 * ? *)"
    duration: str = "3h"  # Secrets Manager retries inside this window only, so at least 2h

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy {self.strategy!r}: one of {', '.join(STRATEGIES)}")
        if self.strategy == "alternating-users" and not self.admin_secret_arn:
            raise ValueError("by alternating-users an admin sets the passwords: name its secret")

    def value(self) -> str:
        """What to store, but for the password: a template never holds one.

        It would one day overwrite the password that works.
        """
        fields = {
            "engine": self.engine,
            "host": self.host,
            "username": self.username,
            "dbname": self.dbname,
            "masterarn": self.admin_secret_arn,
        }
        return json.dumps({key: text for key, text in fields.items() if text is not None})


class RotatedSecret(Stack):
    """A secret, and its rotation once it is attached."""

    def __init__(self, scope: Construct, id_: str, rotated: Rotated) -> None:
        super().__init__(scope, id_)
        role = rotated.function_role_arn
        key = self._shared_key(rotated.name, role) if role else None
        secret = secrets.CfnSecret(
            self,
            "Secret",
            name=rotated.name,
            kms_key_id=key.attr_arn if key else None,
            tags=[CfnTag(key="rotation-strategy", value=rotated.strategy)],
        )
        secret.apply_removal_policy(RemovalPolicy.RETAIN)
        if role:
            self._consent(secret, role)
        if rotated.attach:
            self._rotation(secret, rotated)
        CfnOutput(self, "SecretArn", value=secret.ref)
        CfnOutput(self, "Value", value=rotated.value())

    def _rotation(self, secret: secrets.CfnSecret, rotated: Rotated) -> None:
        secrets.CfnRotationSchedule(
            self,
            "Rotation",
            secret_id=secret.ref,
            rotation_lambda_arn=rotated.function_arn,
            # Attaching only tests. A later change of the function or the schedule does, too.
            rotate_immediately_on_update=False,
            rotation_rules=secrets.CfnRotationSchedule.RotationRulesProperty(
                schedule_expression=rotated.schedule, duration=rotated.duration
            ),
        )

    def _shared_key(self, name: str, role: str) -> kms.CfnKey:
        """A key that the role may use: the key aws/secretsmanager cannot be shared."""
        home = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        arn = f"arn:{Aws.PARTITION}:secretsmanager:{home}:secret:{name}-??????"
        owner = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:root"
        context = {"StringLike": {KEY_CONTEXT: arn}}
        key = kms.CfnKey(
            self,
            "Key",
            description=f"The secret {name}, rotated from another account",
            enable_key_rotation=True,
            key_policy=policy(
                allow("kms:*", "*", to=owner),
                allow(KEY_ACTIONS, "*", to=role, condition=context),
            ),
        )
        key.apply_removal_policy(RemovalPolicy.RETAIN)
        CfnOutput(self, "KeyArn", value=key.attr_arn)
        return key

    def _consent(self, secret: secrets.CfnSecret, role: str) -> None:
        secrets.CfnResourcePolicy(
            self,
            "Consent",
            secret_id=secret.ref,
            block_public_policy=True,
            resource_policy=policy(allow(SECRET_ACTIONS, "*", to=role)),
        )


class FunctionAccount(Stack):
    """In the function's account: lets it rotate one secret of another account."""

    def __init__(
        self, scope: Construct, id_: str, *, function: str, role: str, secret: str, key: str
    ) -> None:
        super().__init__(scope, id_)
        functions.CfnPermission(
            self,
            "Permission",
            function_name=function,
            action="lambda:InvokeFunction",
            principal="secretsmanager.amazonaws.com",
            source_account=secret.split(":")[4],
        )
        context = {"StringEquals": {KEY_CONTEXT: secret}}
        iam.CfnRolePolicy(
            self,
            "Access",
            role_name=role.rpartition("/")[2],
            policy_name=named("secret", secret),
            policy_document=policy(
                allow(SECRET_ACTIONS, secret), allow(KEY_ACTIONS, key, condition=context)
            ),
        )


def named(kind: str, secret: str) -> str:
    """A name that no other secret, by its name or ARN, has for this: of letters, digits, dashes."""
    readable = re.sub("[^A-Za-z0-9]+", "-", secret.rpartition(":secret:")[2])[-80:]
    return f"{kind}-{readable}-{sha256(secret.encode()).hexdigest()[:8]}"


def policy(*statements: dict[str, object]) -> dict[str, object]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    actions: str | list[str],
    resource: str,
    *,
    to: str | None = None,
    condition: dict[str, dict[str, str]] | None = None,
) -> dict[str, object]:
    """One statement of it."""
    statement: dict[str, object] = {"Effect": "Allow", "Action": actions, "Resource": resource}
    if to:
        statement["Principal"] = {"AWS": to}
    if condition:
        statement["Condition"] = condition
    return statement


def main() -> None:
    """Makes the stack that the context (``-c``) asks for."""
    app = App()

    def said(key: str) -> str:
        text = app.node.try_get_context(key)
        if not text:
            raise SystemExit(f"say -c {key}=…")
        return str(text)

    def maybe(key: str) -> str | None:
        return app.node.try_get_context(key) or None

    if maybe("secretArn"):
        FunctionAccount(
            app,
            named("FunctionAccount", said("secretArn")),
            function=said("functionArn"),
            role=said("functionRoleArn"),
            secret=said("secretArn"),
            key=said("keyArn"),
        )
    else:
        rotated = Rotated(
            name=said("name"),
            strategy=said("strategy"),
            engine=said("engine"),
            host=said("host"),
            username=said("username"),
            function_arn=said("functionArn"),
            dbname=maybe("dbname"),
            admin_secret_arn=maybe("adminSecretArn"),
            function_role_arn=maybe("functionRoleArn"),
            attach=maybe("attach") == "true",
        )
        RotatedSecret(app, named("RotatedSecret", rotated.name), rotated)
    app.synth()


if __name__ == "__main__":
    main()
