#!/usr/bin/env bash
# Bootstrap action: makes sure that each node has the Python which our packages are built for.
# EMR 7.13 has it; another release or an image of one's own may not. Run twice, it does nothing the second time.
set -euo pipefail

readonly WANTED=${1:-3.11}
readonly PYTHON=python${WANTED}

fail() {
  echo "crime-jobs bootstrap on $(uname -n): $*" >&2
  exit 1
}

[[ ${WANTED} =~ ^3\.[0-9]+$ ]] || fail "'${WANTED}' is not a version of Python such as 3.11"

works() {
  command -v "${PYTHON}" >/dev/null &&
    "${PYTHON}" -c 'import sys, ssl, zlib; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "${WANTED}"
}

if ! works; then
  command -v dnf >/dev/null || fail "${PYTHON} is missing, and so is dnf to install it: not Amazon Linux 2023?"
  echo "${PYTHON} is missing or broken; installing it"
  sudo dnf install -y "${PYTHON}" ||
    fail "dnf could not install ${PYTHON}: can the subnet reach the Amazon Linux repositories (S3 endpoint)?"
  works || fail "${PYTHON} was installed and still does not work"
fi

echo "$(command -v "${PYTHON}") is $("${PYTHON}" --version)"
