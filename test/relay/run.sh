#!/usr/bin/env bash
# The relay of deploy/relay, with the real nginx, HAProxy, Keystone and Glance: `npm run test:relay`.
#
# Installs what is missing from Debian's or Ubuntu's packages (as root). All of it runs on 127.0.0.1 in directories of its
# own; nothing under /etc is edited. Arguments are vitest's: a file, `-t NAME`.
set -euo pipefail
cd "$(dirname "$0")/../.."

source test/openstack/packages.sh
need_openstack
need /usr/sbin/nginx nginx-light
need /usr/sbin/haproxy haproxy
install_needed test:relay

node=node_modules/.bin/node
[ -x "$node" ] || fail test:relay "missing: node_modules (run npm ci first)"
exec "$node" node_modules/vitest/vitest.mjs run --project relay --reporter=minimal "$@"
