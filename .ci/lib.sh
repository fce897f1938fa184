# What .ci/run and .ci/full share: steps that are counted and timed, and the engines that the tests need.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
shared=$(cd .. && pwd)/shared
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
passed=0 failed=0

# step TITLE COMMAND...   Runs a command, counts what it passed and failed, and goes on whatever came of it. A command that
# prints no line "N passed, N failed" counts as one.
step() {
  local title=$1 from=$SECONDS status=0 counts good bad
  shift
  printf '\n== %s ==\n' "$title"
  # Through a file: a pipe would be held open, and waited for, as long as an engine lives that the step has started. In this
  # shell, so that what the step exports is there for the next one.
  : >"$state/output"
  tail -n +1 -f "$state/output" &
  local shown=$!
  "$@" >>"$state/output" 2>&1 || status=$?
  sleep 1
  kill "$shown" && wait "$shown" 2>/dev/null
  counts=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$state/output" | tail -n 1)
  read -r good _ bad _ <<<"${counts:-0 passed, 0 failed}"
  if [ -z "$counts" ] && [ "$status" -eq 0 ]; then good=1; fi
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  passed=$((passed + good)) failed=$((failed + bad))
  if [ "$bad" -gt 0 ]; then note_failure "$title"; fi
  grep '^SKIPPED ' "$state/output" >>"$state/skipped"
  printf '%5d s  %6d  %6d  %s\n' $((SECONDS - from)) "$good" "$bad" "$title" >>"$state/table"
}

# skip WHAT: WHY   For a step that cannot be taken here: it neither passes nor fails, and `finish` tells.
skip() {
  echo "SKIPPED $1"
  echo '0 passed, 0 failed'
}

# Keeps what a step says of its failures, for the end of the run: where a log is cut, its end is what is left.
note_failure() { # note_failure TITLE
  {
    printf '\n== failed: %s ==\n' "$1"
    grep -nE '^(\[[a-z]+\] )?(FAIL |  ● |.*✕ |.*NOT AS PROMISED|Error: |.* [1-9][0-9]* failed, )' "$state/output" | head -n 80
    echo '…'
    tail -n 40 "$state/output"
  } >>"$state/failures"
}

# Prints what failed, the table of the steps and the plain count, and ends.
finish() {
  if [ -e "$state/failures" ]; then cat "$state/failures"; fi
  sort -u "$state/skipped"
  printf '\n   time  passed  failed  step\n'
  cat "$state/table"
  printf '%5d s  all of it\n\n%d passed, %d failed\n' "$SECONDS" "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}

# last_line COMMAND...   What a command prints last; fails where the command does, or prints nothing.
last_line() {
  local printed
  printed=$("$@" | tail -n 1) && [ -n "$printed" ] && echo "$printed"
}

has() { [ -x "$shared/$1" ]; }

install_packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The programs that tiers and the documented commands need and this machine may lack; as PROGRAM or PROGRAM:PACKAGE.
provide_programs() {
  local missing=() each
  for each in bwrap:bubblewrap docker-compose curl jq openssl pgrep:procps shellcheck sqlite3 strace; do
    command -v "${each%%:*}" >/dev/null || missing+=("${each##*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# The machine's own Docker engine, with the images that jobs run in. An image that was built from the same files is kept.
provide_images() {
  if has images/base; then "$shared/images/base"; fi
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  docker build -q --target slim -t py-exec:slim runner-image
  docker build -q --target latest -t py-exec:latest runner-image
}

provide_postgres() {
  if [ -z "${TEST_DATABASE_URL:-}" ] && has services/postgres; then
    TEST_DATABASE_URL=$(last_line "$shared/services/postgres") || return
  fi
  export TEST_DATABASE_URL=${TEST_DATABASE_URL:-}
  [ -n "$TEST_DATABASE_URL" ] || { echo "TEST_DATABASE_URL names no PostgreSQL server."; return 1; }
}

# use_engine current|own   Which Docker engine the tests run on: a current one beside the machine's own, where that can be had.
use_engine() {
  export DOCKER_HOST=${OWN_DOCKER_HOST:-} PATH=$OWN_PATH DOCKER_CONFIG=$OWN_DOCKER_CONFIG
  [ -n "$DOCKER_HOST" ] || unset DOCKER_HOST
  [ -n "$DOCKER_CONFIG" ] || unset DOCKER_CONFIG
  if [ "$1" = own ] || ! has engines/docker-current/up; then return 0; fi
  local host folder=${ENGINE_DIR:-/var/lib/docker-current} image
  host=$(last_line "$shared/engines/docker-current/up") || return
  for image in py-exec:slim py-exec:latest; do
    if [ "$(docker image inspect -f '{{.Id}}' "$image")" != "$(docker -H "$host" image inspect -f '{{.Id}}' "$image" 2>/dev/null)" ]; then
      "$shared/engines/docker-current/load" "$image" || return
    fi
  done
  mkdir -p "$state/docker"
  ln -sfn "$folder/cli-plugins" "$state/docker/cli-plugins"
  export DOCKER_HOST=$host PATH=$folder/bin:$OWN_PATH DOCKER_CONFIG=$state/docker
}
OWN_DOCKER_HOST=${DOCKER_HOST:-} OWN_PATH=$PATH OWN_DOCKER_CONFIG=${DOCKER_CONFIG:-}

# use_cluster current|old   Which cluster the tests run on. One that KUBECONFIG names already is taken as it is.
use_cluster() {
  if [ -n "${OWN_KUBECONFIG:-}" ]; then
    if [ -n "${KUBE_LOAD_IMAGES:-}" ]; then $KUBE_LOAD_IMAGES py-exec:slim; fi
    return
  fi
  local folder
  if [ "$1" = current ]; then folder=$shared/engines/cluster-current; else folder=$shared/cluster; fi
  [ -x "$folder/up" ] || return 0
  use_engine own
  KUBECONFIG=$(last_line "$folder/up") || return
  if [ "$1" = current ]; then OWN_PATH=${CLUSTER_DIR:-/var/lib/cluster-current}/bin:$OWN_PATH; fi
  export KUBECONFIG PATH=$OWN_PATH KUBE_LOAD_IMAGES="$folder/load" TEST_KUBE_RESTART="$folder/restart"
  cluster_folder=$folder
  # Again where it fails: a node's collector may remove an older build's layers while this one is unpacked onto them.
  "$KUBE_LOAD_IMAGES" py-exec:slim >/dev/null || "$KUBE_LOAD_IMAGES" py-exec:slim >/dev/null
}
OWN_KUBECONFIG=${KUBECONFIG:-} cluster_folder=

leave_cluster() {
  if [ -n "$cluster_folder" ]; then "$cluster_folder/down"; fi
  cluster_folder=
  unset KUBECONFIG KUBE_LOAD_IMAGES TEST_KUBE_RESTART
}

# The public workflows and the scripts of this folder.
check_workflows() {
  GOBIN=$state/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 &&
    "$state/bin/actionlint" &&
    shellcheck -x .ci/run .ci/full .ci/bare/run .github/volumes
}

# Deploys on the cluster as k8s/README.md says, and gives its volumes back.
check_deployment() {
  # Never the cluster that happens to be somebody's default.
  [ -n "${KUBECONFIG:-}" ] || { echo "KUBECONFIG names no cluster."; return 1; }
  use_engine own
  node scripts/check-kubernetes.mjs "$@" || return
  if [ -n "$cluster_folder" ] && [ -x "$cluster_folder/volumes" ]; then "$cluster_folder/volumes"; fi
}

# What a current engine publishes is in a network namespace of its own.
check_compose() {
  local within=()
  if [ "${DOCKER_HOST:-}" != "$OWN_DOCKER_HOST" ] && [ -e /run/netns/maps28 ]; then within=(nsenter --net=/run/netns/maps28); fi
  "${within[@]}" node scripts/check-compose.mjs "$@"
}
