#!/usr/bin/env bash
# What a secret needs besides attach.sh if the function is in another account of the same Region.
#
# In the secret's account:
#   cross-account.sh key NAME ROLE_ARN                       a key that both accounts use; prints its ARN
#       … attach.sh create NAME KEY_ARN …
#   cross-account.sh share SECRET_ARN ROLE_ARN               the secret's own consent
# In the function's account:
#   cross-account.sh allow FUNCTION_ARN SECRET_ARN KEY_ARN   the function may rotate it
#       … in the secret's account again: attach.sh store, attach, rotate …
#
# ROLE_ARN is the function's: output PostgreSQLRoleArn of its stack, and so on.

set -euo pipefail

secret_actions='[
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage"
  ]'
key_actions='["kms:Decrypt", "kms:GenerateDataKey"]'

usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# The key aws/secretsmanager cannot be shared.
key() {
    local region identity partition account arn
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region)}}
    identity=$(aws sts get-caller-identity --query Arn --output text)
    IFS=: read -r _ partition _ _ account _ <<<"$identity"
    arn=$(aws kms create-key --description "The secret $1, rotated from another account" \
        --query KeyMetadata.Arn --output text --policy "{
  \"Version\": \"2012-10-17\",
  \"Statement\": [
    {\"Sid\": \"ThisAccount\", \"Effect\": \"Allow\", \"Action\": \"kms:*\", \"Resource\": \"*\",
     \"Principal\": {\"AWS\": \"arn:$partition:iam::$account:root\"}},
    {\"Sid\": \"RotationFunction\", \"Effect\": \"Allow\", \"Action\": $key_actions, \"Resource\": \"*\",
     \"Principal\": {\"AWS\": \"$2\"},
     \"Condition\": {\"StringLike\": {\"kms:EncryptionContext:SecretARN\":
       \"arn:$partition:secretsmanager:$region:$account:secret:$1-??????\"}}}
  ]
}")
    aws kms enable-key-rotation --key-id "$arn"
    echo "$arn"
}

share() {
    aws secretsmanager put-resource-policy --secret-id "$1" --block-public-policy \
        --query ARN --output text --resource-policy "{
  \"Version\": \"2012-10-17\",
  \"Statement\": [
    {\"Sid\": \"RotationFunction\", \"Effect\": \"Allow\", \"Action\": $secret_actions, \"Resource\": \"*\",
     \"Principal\": {\"AWS\": \"$2\"}}
  ]
}"
}

allow() {
    local account role said secret
    IFS=: read -r _ _ _ _ account _ <<<"$2"
    # One permission serves all of an account's secrets.
    said=$(aws lambda add-permission --function-name "$1" --statement-id "SecretsOf$account" \
        --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com \
        --source-account "$account" --query Statement --output text 2>&1) ||
        [[ $said == *ResourceConflictException* ]] || { echo "$said" >&2 && exit 1; }
    # Names of policies have at most 128 characters, and no slash; a secret's end is what tells it from others.
    secret=$(printf %s "${2##*:secret:}" | tr '/!' '..' | tail -c 100)
    role=$(aws lambda get-function-configuration --function-name "$1" --query Role --output text)
    aws iam put-role-policy --role-name "${role##*/}" --policy-name "secret-of-$account-$secret" \
        --policy-document "{
  \"Version\": \"2012-10-17\",
  \"Statement\": [
    {\"Effect\": \"Allow\", \"Action\": $secret_actions, \"Resource\": \"$2\"},
    {\"Effect\": \"Allow\", \"Action\": $key_actions, \"Resource\": \"$3\",
     \"Condition\": {\"StringEquals\": {\"kms:EncryptionContext:SecretARN\": \"$2\"}}}
  ]
}"
}

case "${1-} $#" in
    'key 3' | 'share 3' | 'allow 4') "$@" ;;
    *) usage ;;
esac
