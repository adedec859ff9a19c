#!/usr/bin/env bash
# The suite against a real Keystone and Glance: `npm run test:openstack`.
#
# Installs what is missing from Debian's or Ubuntu's packages (as root), then hands over to main.ts, which brings up
# Keystone, Glance and the edge on 127.0.0.1 in a directory of its own and runs the suite. Nothing under /etc is
# edited. KEEP_STATE=1 keeps the directory with databases, images and logs.
#
# EDGE_URL=http://host:port   test an edge that runs already (its ORIGIN_URL must be this run's: give ORIGIN_PORT too)
# EDGE_URL=none               no edge: what does not depend on it is checked against Glance itself
# STORE=random|sequential     only with a Glance whose store can, or can't, read from the middle (default: one after the other)
# SERVICE_CREDENTIAL=0        the edge has no application credential of its own, only its callers' tokens
# BIG_IMAGE_MIB=1024          size of the big image
# ONLY=pattern                only the tests whose name matches
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
  echo "test:openstack: $*" >&2
  exit 1
}

packages=()
need() { # need COMMAND PACKAGE: the command comes from this package
  [ -x "/usr/bin/$1" ] || packages+=("$2")
}
need keystone-manage keystone
need glance-api glance-api
need glance python3-glanceclient
need openstack python3-openstackclient
need uwsgi uwsgi-core
need curl curl
compgen -G '/usr/lib/uwsgi/plugins/python3*_plugin.so' >/dev/null || packages+=(uwsgi-plugin-python3)

if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "missing: ${packages[*]} (Debian packages), and there is no apt-get to install them"
  [ "$(id -u)" = 0 ] || fail "missing: ${packages[*]}: run this as root, or install them with apt-get first"
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  install=(apt-get install -y --no-install-recommends "${packages[@]}")
  # The second try is for a machine whose package lists are old or were never fetched.
  "${install[@]}" >"$log" 2>&1 || { apt-get update && "${install[@]}"; } >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${packages[*]} (its whole output: $log)"
  }
  rm -f "$log"
fi

node=node_modules/.bin/node
[ -x "$node" ] || fail "missing: node_modules (run npm ci first)"
exec "$node" test/openstack/main.ts
