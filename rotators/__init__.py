"""Rotation functions for AWS Secrets Manager that survive a crash at any instant.

The Lambda function is ``rotators.handler.lambda_handler``. A rotator of your own derives from
``Rotator``: for a database user, from ``rotators.database.rotator.DatabaseRotator``; for what a
provider issues, from ``rotators.issued.rotator.IssuedSecretRotator``.
"""

from rotators.rotator import Rotation, Rotator
from rotators.secret import Secret

__all__ = ["Rotation", "Rotator", "Secret"]
