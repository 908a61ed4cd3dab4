#!/usr/bin/env bash
# What the tests need that Python's packages cannot bring: Prometheus, and a Kafka broker or what makes one.
# Installs it where it may (Debian or Ubuntu, as root); says what to install where it may not.
set -euo pipefail

missing=()
say=()

if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
  missing+=(prometheus)
  say+=('Prometheus with promtool (Debian, Ubuntu: apt install prometheus; macOS: brew install prometheus)')
fi

kafka_at_hand() {
  [ -n "${WELLWON_TEST_KAFKA:-}" ] || docker info >/dev/null 2>&1 || { command -v java && command -v mvn; } >/dev/null
}
if ! kafka_at_hand; then
  missing+=(openjdk-17-jre-headless maven)
  say+=('a Docker engine, or Java 17 and Maven (apt install openjdk-17-jre-headless maven; brew install openjdk@17 maven),'
    '  or WELLWON_TEST_KAFKA=host:port of a broker that tests may write to')
fi

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing for the tests: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo 'The tests need:' >&2
  printf '  %s\n' "${say[@]}" >&2
  exit 1
fi
