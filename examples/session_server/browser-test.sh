#!/usr/bin/env bash
# Clicks through the page in headless Chromium (tests/program/browser.rs), and keeps screenshots in target/screenshots. Installs Debian's Chromium and
# ChromeDriver if they are missing. Needs no display.
set -euo pipefail
cd "$(dirname "$0")"

browser() { command -v chromium || command -v google-chrome; }
if ! command -v chromedriver >/dev/null || ! browser >/dev/null; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update --quiet
  $sudo apt-get install --quiet --yes --no-install-recommends chromium chromium-driver
fi

CHROMIUM=$(browser) cargo test --locked --test program -- --ignored browser "$@"
