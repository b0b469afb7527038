#!/usr/bin/env bash
# Starts an engine and ten servers behind it, logs a user out of one, and kills the engine.
#
#     crates/redis/examples/fleet.sh
#
# Needs curl and redis-server, or another engine that REDIS_SERVER names. The servers trust a copy of 10 seconds.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

readonly COUNT=10 REDIS_PORT=16400 AGE=10
folder=$(mktemp -d)
engine=
servers=()
ports=()

stop() {
    local code=$?
    for process in "${servers[@]}" $engine; do
        kill "$process" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$folder"
    exit "$code"
}
trap stop EXIT

start_engine() {
    (cd "$folder" && exec "${REDIS_SERVER:-redis-server}" --port $REDIS_PORT --bind 127.0.0.1 --appendonly yes --save "") \
        >/dev/null 2>&1 &
    engine=$!
}

start_servers() {
    local server log
    cargo build --quiet --locked --package tower-session-token-redis --example fleet
    server=${CARGO_TARGET_DIR:-target}/debug/examples/fleet
    head -c 32 /dev/urandom >"$folder/secret"
    for ((at = 0; at < COUNT; at++)); do
        log=$folder/$at.log
        "$server" --redis "redis://127.0.0.1:$REDIS_PORT" --listen 127.0.0.1:0 --max-revocation-age $AGE \
            --hs256-secret-file "$folder/secret" >"$log" 2>&1 &
        servers+=($!)
        until grep -q listening "$log" 2>/dev/null; do sleep 0.05; done
        ports+=("$(grep -o '[0-9]*$' "$log")")
    done
}

# request METHOD PORT ROUTE [ARGUMENT...]: the status.
request() {
    curl --silent --output /dev/null --write-out '%{http_code}' --request "$1" "http://127.0.0.1:$2$3" "${@:4}"
}

# login PORT NAME: a token.
login() {
    curl --silent "http://127.0.0.1:$1/login" --data "sub=$2&name=$2" | sed 's/.*"token":"\([^"]*\)".*/\1/'
}

# show TEXT TOKEN: the answers of all servers.
show() {
    local answers=()
    for port in "${ports[@]}"; do
        answers+=("$(request GET "$port" /session --header "Authorization: Bearer $2")")
    done
    printf '%-58s %s\n' "$1" "${answers[*]}"
}

# wait_for STATUS: until every server's readiness is that.
wait_for() {
    local deadline=$((SECONDS + 20))
    for port in "${ports[@]}"; do
        until [[ $(request GET "$port" /readyz) == "$1" ]]; do
            ((SECONDS < deadline)) || { echo "no server answers $1"; exit 1; }
            sleep 0.05
        done
    done
}

start_engine
start_servers
wait_for 200

ann=$(login "${ports[0]}" ann)
bob=$(login "${ports[1]}" bob)
show "Ann's token, at each server" "$ann"
echo "Ann logs out of the first: $(request POST "${ports[0]}" /logout --header "Authorization: Bearer $ann")"
show "Ann's token" "$ann"
show "Bob's" "$bob"

echo "the engine is killed"
kill -9 "$engine" && wait "$engine" 2>/dev/null || true
show "Bob's token, from the copies" "$bob"
echo "Bob logs out of the second: $(request POST "${ports[1]}" /logout --header "Authorization: Bearer $bob") (queued)"
show "Bob's token" "$bob"
wait_for 503
carol=$(login "${ports[2]}" carol)
show "$AGE seconds later: Carol's, unknown" "$carol"
show "Ann's" "$ann"

echo "the engine starts again"
start_engine
wait_for 200
show "Carol's token" "$carol"
show "Ann's" "$ann"
show "Bob's, whose log-out was queued" "$bob"
curl --silent "http://127.0.0.1:${ports[1]}/readyz"
echo
