# A secret of one account, rotated by a function of another one in the same Region.
#
# First without attach, which makes the secret and allows the function to rotate it; then store the
# value and make the user; then with attach=true.

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

  name              = "app/orders"
  strategy          = "single-user"
  engine            = "postgres"
  host              = "orders.example.com"
  username          = "orders"
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

resource "aws_iam_role_policy" "rotation" {
  provider = aws.functions

  name = "secrets-of-${data.aws_caller_identity.secrets.account_id}"
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
        Resource = module.secret.secret_arn
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = module.secret.key_arn
        Condition = {
          StringEquals = { "kms:EncryptionContext:SecretARN" = module.secret.secret_arn }
        }
      },
    ]
  })
}

output "value" {
  description = "What to store, but for the password."
  value       = module.secret.value
}
