#!/bin/sh
# Makes secrets/: what can be made up is random, Slack's tokens wait for you to paste them.
# Started again it leaves alone what is there.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
chmod 700 secrets # containers get each file by itself; nobody else looks inside
for name in weaviate_api_key postgres_password llama_api_key grafana_password; do
	[ -s "secrets/$name" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$name"
done
for name in slack_bot_token slack_app_token slack_signing_secret; do
	[ -e "secrets/$name" ] || : >"secrets/$name"
	[ -s "secrets/$name" ] || echo "secrets/$name is empty: paste it from api.slack.com/apps"
done
chmod 644 secrets/* # the containers' users read them
