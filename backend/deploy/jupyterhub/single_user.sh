#!/bin/sh
# A backend of one person, started by JupyterHub as that person's server. In jupyterhub_config.py:
#
#   c.Spawner.cmd = ["/opt/napari-hmz/deploy/single_user.sh"]
#   c.Spawner.http_timeout = 120
#
# The hub says by the environment where it is to listen, under which path, and for whom. Whoever may use that
# server may use this backend, with a token made at https://HUB/hub/token:
#
#   hmz run --url https://HUB/user/NAME ...     # HMZ_TOKEN holds the token
set -eu

listen=${JUPYTERHUB_SERVICE_URL#*://}
listen=${listen%%/*}
export HMZ_BACKEND_URL_PREFIX="${JUPYTERHUB_SERVICE_PREFIX%/}"
export HMZ_BACKEND_JUPYTERHUB="{\"url\": \"$JUPYTERHUB_API_URL\", \"scope\": \"access:servers!user=$JUPYTERHUB_USER\"}"
export HMZ_BACKEND_DATA_DIR="${HMZ_BACKEND_DATA_DIR:-$HOME/napari-hmz}"
exec hmz-backend serve --host "${listen%:*}" --port "${listen##*:}"
