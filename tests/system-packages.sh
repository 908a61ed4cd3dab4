#!/usr/bin/env bash
# What the tests need that Python's packages cannot bring: Prometheus and its Alertmanager, Docker's compose, a browser,
# OpenSSL, and a Kafka broker or what makes one. Installs it where it may (Debian or Ubuntu, as root); says what to install where it may not.
set -euo pipefail

packages=()
say=()

has() { command -v "$1" >/dev/null; }

if ! has promtool || ! has prometheus; then
  packages+=(prometheus)
  say+=('Prometheus with promtool (Debian, Ubuntu: apt install prometheus; macOS: brew install prometheus)')
fi
if ! has amtool; then
  packages+=(prometheus-alertmanager)
  say+=('amtool of the Alertmanager, which reads its routes (apt install prometheus-alertmanager; brew install alertmanager)')
fi
if ! docker compose version >/dev/null 2>&1 && ! has docker-compose; then
  packages+=(docker-compose)
  say+=('docker compose, to read docker-compose.yml; no engine is needed (apt or brew install docker-compose)')
fi
if ! has chromium && ! has chromium-browser && ! has google-chrome; then
  packages+=(chromium)
  say+=('Chromium, which looks at the report of a backtest (apt install chromium; macOS: brew install --cask chromium)')
fi
if ! has cc; then
  packages+=(gcc libc6-dev)
  say+=('a C compiler, for the compiled core (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select --install)')
fi
if ! has openssl; then
  packages+=(openssl)
  say+=('OpenSSL 3, which signs the certificates of a broker behind TLS (apt or brew install openssl)')
fi
if [ -z "${WELLWON_TEST_KAFKA:-}" ] && ! docker info >/dev/null 2>&1 && ! { has java && has mvn; }; then
  packages+=(openjdk-17-jre-headless maven)
  say+=('a Docker engine, or Java 17 and Maven (apt install openjdk-17-jre-headless maven; brew install openjdk@17 maven),'
    '  or WELLWON_TEST_KAFKA=host:port of a broker that tests may write to')
fi

[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && has apt-get; then
  echo "Installing for the tests: ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
else
  echo 'The tests need:' >&2
  printf '  %s\n' "${say[@]}" >&2
  exit 1
fi
