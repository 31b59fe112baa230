# What to store, but for the password: `attach.sh store` adds one. Terraform never holds a value, as
# it would one day write a stale one over the one that works.
locals {
  value = {
    for key, text in {
      engine    = var.engine
      host      = var.host
      username  = var.username
      dbname    = var.dbname
      masterarn = var.admin_secret_arn
    } : key => text if text != null
  }
}

output "value" {
  description = "The secret's value without its password."
  value       = jsonencode(local.value)
}
