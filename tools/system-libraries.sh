#!/bin/sh
# The shared libraries that Qt's and OpenGL's wheels expect of a Debian or Ubuntu system, and a
# virtual screen where there is no display. As root they are installed; otherwise the line to type
# is printed. Other systems bring what is needed.
set -eu
packages="xvfb xauth libgl1 libegl1 libgl1-mesa-dri libglib2.0-0 libdbus-1-3 libfontconfig1
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"

command -v dpkg-query >/dev/null 2>&1 || exit 0

present() {
    # libglib2.0-0t64 and its like provide the plain name on newer releases
    dpkg-query -W -f '${Status}\n' "$1" "$1t64" 2>/dev/null | grep -q 'install ok installed'
}

missing=""
for package in $packages; do
    present "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "Installing system libraries:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi
echo "System libraries are missing. Type:"
echo "    sudo apt-get install --no-install-recommends$missing"
# without a display nothing works but by Xvfb; with one the window may still open
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || exit 1
