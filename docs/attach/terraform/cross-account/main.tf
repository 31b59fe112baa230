# Secrets of one account, rotated by a function of another one in the same Region. Put yours into
# `secrets`, all of one account into one state: they share the permission to call the function.
#
# First without attach, which makes the secrets and allows the function to rotate them; then store
# each value and make its user; then with attach=true.

variable "function_arn" {
  type = string
}

variable "functions_profile" {
  description = "AWS profile of the function's account."
  type        = string
}

variable "secrets_profile" {
  description = "AWS profile of the secret's account."
  type        = string
}

variable "region" {
  type = string
}

variable "attach" {
  type    = bool
  default = false
}

locals {
  secrets = {
    "app/orders" = {
      strategy = "single-user"
      engine   = "postgres"
      host     = "orders.example.com"
      username = "orders"
    }
  }
}

provider "aws" {
  alias   = "functions"
  profile = var.functions_profile
  region  = var.region
}

provider "aws" {
  alias   = "secrets"
  profile = var.secrets_profile
  region  = var.region
}

data "aws_lambda_function" "rotation" {
  provider = aws.functions

  function_name = var.function_arn
}

data "aws_caller_identity" "secrets" {
  provider = aws.secrets
}

module "secret" {
  source    = "../secret"
  providers = { aws = aws.secrets }
  for_each  = local.secrets

  name              = each.key
  strategy          = each.value.strategy
  engine            = each.value.engine
  host              = each.value.host
  username          = each.value.username
  function_arn      = var.function_arn
  function_role_arn = data.aws_lambda_function.rotation.role
  attach            = var.attach
}

# In its own account the function's template has given this permission already.
resource "aws_lambda_permission" "rotation" {
  provider = aws.functions

  statement_id   = "SecretsOf${data.aws_caller_identity.secrets.account_id}"
  function_name  = var.function_arn
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.secrets.account_id
}

# Names of policies have at most 128 characters, and no slash; a secret's end is what tells it from others.
resource "aws_iam_role_policy" "rotation" {
  provider = aws.functions
  for_each = module.secret

  name = "secret-of-${data.aws_caller_identity.secrets.account_id}-${strrev(substr(strrev(replace(element(split(":", each.value.secret_arn), 6), "/[/!]/", ".")), 0, 100))}"
  role = element(split("/", data.aws_lambda_function.rotation.role), -1)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "secretsmanager:DescribeSecret",
          "secretsmanager:GetSecretValue",
          "secretsmanager:ListSecretVersionIds",
          "secretsmanager:PutSecretValue",
          "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource = each.value.secret_arn
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = each.value.key_arn
        Condition = {
          StringEquals = { "kms:EncryptionContext:SecretARN" = each.value.secret_arn }
        }
      },
    ]
  })
}

output "values" {
  description = "What to store in each secret, but for its password."
  value       = { for name, secret in module.secret : name => secret.value }
}
