#!/usr/bin/env bash
# One secret, and the function that rotates it, by any strategy: in this order, with the AWS CLI.
#
#   attach.sh create NAME [KEY_ARN]          makes the secret, without a value; prints its ARN
#   attach.sh store SECRET < value.json      stores its first value, with a password if there is none
#       … make the user in the database, with that password …
#   attach.sh attach SECRET FUNCTION_ARN     attaches the function, and tests; rotates nothing yet
#   attach.sh rotate SECRET                  rotates now
#
# value.json is what README.md shows for the strategy. attach replaces a schedule that there is, by
# SCHEDULE and DURATION, or by a monthly one.

set -euo pipefail

# In UTC. Secrets Manager retries inside the window only, so it is open for at least 2h.
: "${SCHEDULE:=cron(0 2 1 * ? *)}" "${DURATION:=3h}"

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

create() {
    aws secretsmanager create-secret --name "$1" ${2:+--kms-key-id "$2"} --query ARN --output text
}

# The value goes through pipes: never an argument, which every user of the machine can read.
store() {
    local password versions
    versions=$(aws secretsmanager describe-secret --secret-id "$1" \
        --query 'length(keys(VersionIdsToStages || `{}`))' --output text)
    if [ "$versions" != 0 ]; then
        echo "$1 has a value already. If nobody uses it: aws secretsmanager put-secret-value." >&2
        exit 1
    fi
    password=$(aws secretsmanager get-random-password --password-length 30 \
        --exclude-punctuation --require-each-included-type --query RandomPassword --output text)
    PASSWORD=$password python3 -c '
import json, os, sys
value = json.load(sys.stdin)
value.setdefault("password", os.environ["PASSWORD"])
json.dump(value, sys.stdout)' |
        aws secretsmanager put-secret-value --secret-id "$1" \
            --secret-string file:///dev/stdin --query VersionId --output text
}

attach() {
    aws secretsmanager rotate-secret --secret-id "$1" --rotation-lambda-arn "$2" \
        --no-rotate-immediately \
        --rotation-rules "{\"ScheduleExpression\": \"$SCHEDULE\", \"Duration\": \"$DURATION\"}" \
        --query ARN --output text
}

rotate() {
    aws secretsmanager rotate-secret --secret-id "$1" --query VersionId --output text
}

case "${1-} $#" in
    'create 2' | 'create 3' | 'store 2' | 'attach 3' | 'rotate 2') "$@" ;;
    *) usage ;;
esac
