# Debian's or Ubuntu's packages that a suite needs; installs what is missing, as root. Sourced by test/*/run.sh.

packages=()

fail() { # fail COMMAND TEXT
  echo "$1: ${*:2}" >&2
  exit 1
}

need() { # need FILE PACKAGE: the file comes from this package
  [ -x "$1" ] || packages+=("$2")
}

need_openstack() {
  need /usr/bin/keystone-manage keystone
  need /usr/bin/glance-api glance-api
  need /usr/bin/glance python3-glanceclient
  need /usr/bin/openstack python3-openstackclient
  need /usr/bin/uwsgi uwsgi-core
  need /usr/bin/curl curl
  compgen -G '/usr/lib/uwsgi/plugins/python3*_plugin.so' >/dev/null || packages+=(uwsgi-plugin-python3)
}

install_needed() { # install_needed COMMAND
  [ ${#packages[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "$1" "missing: ${packages[*]} (Debian packages), and there is no apt-get to install them"
  [ "$(id -u)" = 0 ] || fail "$1" "missing: ${packages[*]}: run this as root, or install them with apt-get first"
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  local install=(apt-get install -y --no-install-recommends "${packages[@]}")
  # The second try is for a machine whose package lists are old or were never fetched.
  "${install[@]}" >"$log" 2>&1 || { apt-get update && "${install[@]}"; } >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "$1" "apt-get could not install ${packages[*]} (its whole output: $log)"
  }
  rm -f "$log"
}
