# Only for a function of another account: a key that its role may use (the key aws/secretsmanager
# cannot be shared), and the secret's own consent.

locals {
  shared    = var.function_role_arn == null ? 0 : 1
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_kms_key" "this" {
  count = local.shared

  description         = "The secret ${var.name}, rotated from another account"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ThisAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "RotationFunction"
        Effect    = "Allow"
        Principal = { AWS = var.function_role_arn }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = {
          StringLike = {
            "kms:EncryptionContext:SecretARN" = "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${var.name}-??????"
          }
        }
      },
    ]
  })
}

resource "aws_secretsmanager_secret_policy" "this" {
  count = local.shared

  secret_arn          = aws_secretsmanager_secret.this.arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RotationFunction"
        Effect    = "Allow"
        Principal = { AWS = var.function_role_arn }
        Action = [
          "secretsmanager:DescribeSecret",
          "secretsmanager:GetSecretValue",
          "secretsmanager:ListSecretVersionIds",
          "secretsmanager:PutSecretValue",
          "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource = "*"
      },
    ]
  })
}

output "key_arn" {
  description = "The key of a secret that another account's function rotates; else null."
  value       = one(aws_kms_key.this[*].arn)
}
