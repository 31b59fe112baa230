# One secret, and the function that rotates it.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

resource "aws_secretsmanager_secret" "this" {
  name       = var.name
  kms_key_id = one(aws_kms_key.this[*].arn)

  tags = {
    rotation-strategy = var.strategy
  }
}

resource "aws_secretsmanager_secret_rotation" "this" {
  count = var.attach ? 1 : 0

  secret_id           = aws_secretsmanager_secret.this.id
  rotation_lambda_arn = var.function_arn
  # Attaching only tests. A later change of the function or the schedule does, too.
  rotate_immediately = false

  rotation_rules {
    schedule_expression = var.schedule
    duration            = var.duration
  }
}

output "secret_arn" {
  value = aws_secretsmanager_secret.this.arn
}
