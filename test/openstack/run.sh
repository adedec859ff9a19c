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

source test/openstack/packages.sh
need_openstack
install_needed test:openstack

node=node_modules/.bin/node
[ -x "$node" ] || fail test:openstack "missing: node_modules (run npm ci first)"
exec "$node" test/openstack/main.ts
