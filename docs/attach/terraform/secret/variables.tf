variable "name" {
  description = "The secret's name."
  type        = string
}

variable "strategy" {
  description = "How the function rotates it: its ROTATION_STRATEGY. Here it is a tag, for people, and a check."
  type        = string

  validation {
    condition     = contains(["single-user", "alternating-users", "dual-password"], var.strategy)
    error_message = "One of single-user, alternating-users, dual-password."
  }
}

variable "engine" {
  description = "As the function knows it: postgres, mysql, mariadb, sqlserver, oracle, redshift, mongo …"
  type        = string
}

variable "host" {
  description = "The database's host name, as its certificate has it."
  type        = string
}

variable "username" {
  description = "The user whose password is rotated. It has to exist before you attach."
  type        = string
}

variable "dbname" {
  description = "Null: the engine's."
  type        = string
  default     = null
}

variable "admin_secret_arn" {
  description = "ARN of the secret of an admin of the same database: the key masterarn."
  type        = string
  default     = null

  validation {
    condition     = var.strategy != "alternating-users" || var.admin_secret_arn != null
    error_message = "By alternating-users an admin sets the passwords: name its secret."
  }
}

variable "function_arn" {
  description = "ARN of the rotation function, in this Region."
  type        = string
}

variable "function_role_arn" {
  description = "ARN of the function's role, if the function is in another account."
  type        = string
  default     = null
}

variable "attach" {
  description = "Whether to attach the function: once the value is stored and the user exists."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "When the window for a rotation opens, in UTC."
  type        = string
  default     = "cron(0 2 1 * ? *)"
}

variable "duration" {
  description = "How long it is open. Secrets Manager retries inside it only, so at least 2h."
  type        = string
  default     = "3h"

  validation {
    condition     = tonumber(trimsuffix(var.duration, "h")) >= 2
    error_message = "At least 2h."
  }
}
