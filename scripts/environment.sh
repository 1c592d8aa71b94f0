# Sourced by the scripts beside it: makes .venv with what is asked for, once per set of requirements.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV="${HMZ_VENV:-$PWD/.venv}"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

# environment EXTRAS [GROUP]: an editable install with these extras, and a dependency group.
environment() {
  local extras=$1 group=${2:-} python=${PYTHON:-python3} wanted
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or newer is needed; '$python' is $("$python" --version 2>&1). Set PYTHON to a newer one."
    exit 1
  }
  wanted="$(cat pyproject.toml | cksum) $extras $group $("$python" --version)"
  if [ "$(cat "$VENV/.installed" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "Installing into $VENV (once; a few minutes) ..."
  [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"
  "$VENV/bin/python" -m pip install --quiet --upgrade "pip>=25.1" # the first pip that knows dependency groups
  "$VENV/bin/python" -m pip install --quiet --editable ".[$extras]" ${group:+--group "$group"}
  printf '%s' "$wanted" >"$VENV/.installed"
}

# other_binding: PySide6 in a folder of its own, $OTHER, since the environment holds PyQt6; once, as above.
other_binding() {
  local wanted
  OTHER="$VENV/pyside6"
  wanted="$(cat pyproject.toml | cksum) $("$VENV/bin/python" --version)"
  if [ "$(cat "$OTHER/.installed" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "Installing PySide6 into $OTHER ..."
  rm -rf "$OTHER"
  "$VENV/bin/python" -m pip install --quiet --target "$OTHER" --group pyside6
  printf '%s' "$wanted" >"$OTHER/.installed"
}

# debian_packages NAME ...: installs what is missing when root, and says what to install when not.
debian_packages() {
  local missing=() name
  command -v dpkg-query >/dev/null || return 0 # another system: its own libraries must do
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" = 0 ]; then
    say "Installing Debian packages: ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    say "These Debian packages are missing. Install them, then start again:"
    say "  sudo apt-get install ${missing[*]}"
    exit 1
  fi
}
