# Three secrets, one by each strategy. Take the entry you need and put your names in.
#
#   terraform apply -var 'function_arns={…}' -var admin_secret_arn=…    makes the secrets
#   … store each value, make its user in the database (../README.md) …
#   terraform apply … -var attach=true                                  attaches, and tests

variable "function_arns" {
  description = "The function for each secret. It rotates by the strategy that its stack was given."
  type        = map(string)
}

variable "admin_secret_arn" {
  description = "The secret of an admin of shop.example.com. The function may read it (AdminSecretArn of its stack)."
  type        = string
}

variable "attach" {
  type    = bool
  default = false
}

locals {
  secrets = {
    # The user changes its own password.
    "app/orders" = {
      strategy = "single-user"
      engine   = "postgres"
      host     = "orders.example.com"
      username = "orders"
    }
    # An admin gives shop and shop_clone new passwords in turn.
    "app/shop" = {
      strategy         = "alternating-users"
      engine           = "postgres"
      host             = "shop.example.com"
      username         = "shop"
      admin_secret_arn = var.admin_secret_arn
    }
    # One user, whose old password goes on working until the next rotation.
    "app/stock" = {
      strategy = "dual-password"
      engine   = "mysql"
      host     = "stock.example.com"
      username = "stock"
    }
  }
}

module "secret" {
  source   = "./secret"
  for_each = local.secrets

  name             = each.key
  strategy         = each.value.strategy
  engine           = each.value.engine
  host             = each.value.host
  username         = each.value.username
  admin_secret_arn = lookup(each.value, "admin_secret_arn", null)
  function_arn     = var.function_arns[each.key]
  attach           = var.attach
}

output "values" {
  description = "What to store in each secret, but for its password."
  value       = { for name, secret in module.secret : name => secret.value }
}
