#!/usr/bin/env bash
# Bootstrap action: puts the insight queries into Hue as saved documents, for all its users to read.
# Bootstrap actions run before applications are installed, so it fetches the documents, leaves a copy of itself
# behind that waits for Hue, and lets the node go on. `hue.sh --load FILE` loads them by hand, also again.
set -euo pipefail

readonly NODE=${CRIME_JOBS_NODE:-/mnt/var/lib/info/instance.json}
readonly HUE=${CRIME_JOBS_HUE:-/usr/lib/hue/build/env/bin/hue}
readonly HOME_OF_IT=${CRIME_JOBS_HOME:-/mnt/var/lib/crime-jobs}
readonly PATIENCE=${CRIME_JOBS_PATIENCE:-3600} # seconds; EMR installs the applications within that time
readonly PAUSE=${CRIME_JOBS_PAUSE:-15}

fail() {
  echo "crime-jobs Hue documents on $(uname -n): $*" >&2
  exit 1
}

# Hue's command, as Hue's own user: it may read the database's password, nobody else may.
as_hue() {
  sudo -u hue "${HUE}" "$@"
}

load() {
  local documents=$1 waited=0
  [[ -r ${documents} ]] || fail "${documents} can't be read"
  until [[ -x ${HUE} ]] && as_hue is_db_alive >/dev/null 2>&1 && as_hue migrate --check >/dev/null 2>&1; do
    ((waited < PATIENCE)) || fail "Hue and its database were not ready within ${PATIENCE} s"
    sleep "${PAUSE}"
    waited=$((waited + PAUSE))
  done
  # The owner of samples must be there before what it owns, and only a directory that is there can be shared.
  as_hue shell -c 'from useradmin.models import install_sample_user; install_sample_user()' ||
    fail "Hue's user for samples could not be made"
  as_hue loaddata --format json - <"${documents}" || fail "Hue refused the documents"
  as_hue shell -c '
from desktop.models import Directory, Document2, Document2Permission
from useradmin.models import get_default_user_group, install_sample_user
owner = install_sample_user()
home = Document2.objects.get_home_directory(owner)
folder = Directory.objects.get(owner=owner, name="Crime in India", is_history=False)
Document2.objects.filter(pk=folder.pk).update(parent_directory=home)
folder.share(owner, Document2Permission.READ_PERM, groups=[get_default_user_group()])
' || fail "the documents are loaded, but could not be shared"
  echo "the insight queries are in Hue"
}

if [[ ${1-} == --load ]]; then
  load "${2:?a file of documents}"
  exit 0
fi

readonly FROM=${1-}
[[ ${FROM} == s3://*/* ]] || fail "'${FROM}' is not the s3:// address of the documents"
if ! grep -Eq '"isMaster"[[:space:]]*:[[:space:]]*true' "${NODE}" 2>/dev/null; then
  echo "Hue is on the primary node, this is another"
  exit 0
fi
sudo mkdir -p "${HOME_OF_IT}"
sudo chown "$(id -u)" "${HOME_OF_IT}"
aws s3 cp --only-show-errors "${FROM}" "${HOME_OF_IT}/documents.json" || fail "${FROM} can't be fetched"
cp "$0" "${HOME_OF_IT}/hue.sh"
chmod 755 "${HOME_OF_IT}" "${HOME_OF_IT}/hue.sh"
chmod 644 "${HOME_OF_IT}/documents.json"
nohup setsid bash "${HOME_OF_IT}/hue.sh" --load "${HOME_OF_IT}/documents.json" \
  >"${HOME_OF_IT}/hue.log" 2>&1 </dev/null &
echo "the insight queries follow when Hue is there; see ${HOME_OF_IT}/hue.log"
