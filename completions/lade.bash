# bash completion for lade
_lade() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' word skip=0 i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((skip)); then skip=0; continue; fi
    case $word in
      --store) skip=1 ;;
      -*) ;;
      *) verb="${verb:+$verb }$word"; case $verb in cache|index|manifest|blob|runtime) ;; *) break ;; esac ;;
    esac
  done
  case "$verb:$prev" in
    "build:--pull") COMPREPLY=($(compgen -W "true false always missing newer" -- "$cur")); return ;;
    "build:--format") COMPREPLY=($(compgen -W "oci docker" -- "$cur")); return ;;
    "build:--compression-format") COMPREPLY=($(compgen -W "gzip zstd uncompressed" -- "$cur")); return ;;
    "build:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "images:--format") COMPREPLY=($(compgen -W "table json" -- "$cur")); return ;;
    "index create:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "index add:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "index remove:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "index annotate:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "run:--pull") COMPREPLY=($(compgen -W "missing always never" -- "$cur")); return ;;
    "run:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "copy:--format") COMPREPLY=($(compgen -W "oci docker v2s2" -- "$cur")); return ;;
    "copy:--dest-compress-format") COMPREPLY=($(compgen -W "gzip zstd zstd:chunked estargz uncompressed" -- "$cur")); return ;;
    "copy:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "sync:--src") COMPREPLY=($(compgen -W "docker dir oci yaml" -- "$cur")); return ;;
    "sync:--dest") COMPREPLY=($(compgen -W "docker dir oci" -- "$cur")); return ;;
    "sync:--format") COMPREPLY=($(compgen -W "oci docker" -- "$cur")); return ;;
    "sync:--progress") COMPREPLY=($(compgen -W "auto plain tty json none" -- "$cur")); return ;;
    "validate:--format") COMPREPLY=($(compgen -W "text json sarif" -- "$cur")); return ;;
    "diff:--format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "tags:--format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "tags:--sort") COMPREPLY=($(compgen -W "name semver" -- "$cur")); return ;;
    "repos:--format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime create:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime start:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime state:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime kill:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime delete:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime pause:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime resume:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime run:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime exec:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime list:--format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime list:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime ps:--format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime ps:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
    "runtime update:--log-format") COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
  esac
  case "$verb" in
    '') COMPREPLY=($(compgen -W "build images rmi prune cache index run unshare info copy sync tag delete manifest login logout inspect history tree ratelimit validate ls cat find du extract waste diff tags repos digest blob runtime completion help --store --version --help" -- "$cur")) ;;
    cache) COMPREPLY=($(compgen -W "ls du prune logs export" -- "$cur")) ;;
    index) COMPREPLY=($(compgen -W "create add remove annotate" -- "$cur")) ;;
    manifest) COMPREPLY=($(compgen -W "put get" -- "$cur")) ;;
    blob) COMPREPLY=($(compgen -W "get" -- "$cur")) ;;
    runtime) COMPREPLY=($(compgen -W "spec create start state kill delete pause resume run exec list ps update features" -- "$cur")) ;;
    'build') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--file -f --tag -t --target --build-arg --label --platform --secret --ssh --pull --no-cache --explain --debug-shell --network --format --compression-format --compression-level --check --call --logfile --logsplit --ignorefile --jobs -j --output -o --push --load --annotation --created-annotation --unsetlabel --inherit-labels --inherit-annotations --unsetannotation --identity-label --omit-history --os-feature --os-version --squash --squash-all --timestamp --source-date-epoch --rewrite-timestamp --provenance --sbom --attest --metadata-file --iidfile --iidfile-raw --digestfile --verify-reproducible --cache-from --cache-to --cache-ttl --runtime --runtime-flag --isolation --build-context --build-arg-file --cpp-flag --env --unsetenv --extensions --add-host --dns --dns-search --dns-option --ulimit --shm-size --cap-add --cap-drop --security-opt --volume -v --allow --device --memory -m --memory-swap --cpu-shares -c --cpu-period --cpu-quota --cpuset-cpus --cpuset-mems --cpus --cgroup-parent --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'images') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--format --quiet -q --help" -- "$cur")); fi ;;
    'rmi') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'prune') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --help" -- "$cur")); fi ;;
    'cache ls') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--filter --format --no-trunc --quiet -q --help" -- "$cur")); fi ;;
    'cache du') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--filter --format --help" -- "$cur")); fi ;;
    'cache prune') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --filter --keep-storage --help" -- "$cur")); fi ;;
    'cache logs') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'cache export') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'index create') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--annotation --authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'index add') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'index remove') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'index annotate') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--annotation --index --os --arch --variant --os-version --os-features --authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'run') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--env -e --env-file --workdir -w --user -u --group-add --entrypoint --interactive -i --tty -t --rm --read-only --mount --tmpfs --hostname --network --pids-limit --platform --pull --stop-signal --timeout --add-host --dns --dns-search --dns-option --ulimit --shm-size --cap-add --cap-drop --security-opt --volume -v --device --memory -m --memory-swap --cpu-shares -c --cpu-period --cpu-quota --cpuset-cpus --cpuset-mems --cpus --cgroup-parent --runtime --runtime-flag --isolation --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'unshare') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'info') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--format --help" -- "$cur")); fi ;;
    'copy') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --platform --sparse --index-only --multi-arch --referrers --no-referrers --format -f --dest-compress-format --dest-compress-level --dest-force-compress-format --dest-decompress --remove-signatures --preserve-digests --digestfile --additional-tag --dry-run --json --jobs -j --authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --src-shared-blob-dir --dest-shared-blob-dir --src-daemon-host --dest-daemon-host --append --progress --quiet -q --help" -- "$cur")); fi ;;
    'sync') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--src -s --dest -d --all -a --platform --referrers --scoped --append-suffix --filter --exclude --semver --format -f --preserve-digests --digestfile --keep-going --dry-run --jobs -j --authfile --src-authfile --src-cert-dir --src-creds --src-username --src-password --src-registry-token --src-no-creds --src-tls-verify --dest-authfile --dest-cert-dir --dest-creds --dest-username --dest-password --dest-registry-token --dest-no-creds --dest-tls-verify --registries-conf --progress --quiet -q --help" -- "$cur")); fi ;;
    'tag') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'delete') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--by-digest --force --force-tag-delete --referrers --ignore-missing --dry-run --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'manifest put') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--media-type --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'login') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--username -u --password -p --password-stdin --get-login --authfile --compat-auth-file --cert-dir --verbose -v --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'logout') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --authfile --compat-auth-file --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'inspect') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--raw --config --format -f --platform --all -a --referrers --provenance --sbom --tags --check-base --against --ascii --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'history') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--platform --no-trunc --human -H --quiet -q --reverse --format -f --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'tree') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--layers --ascii --format -f --help" -- "$cur")); fi ;;
    'ratelimit') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--format -f --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'validate') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--deep --documents --strict --jobs --format -f --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'ls') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--long -l --recursive -R --directory -d --layers --json --platform --layer --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'cat') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--platform --layer --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'find') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--name --iname --path --type --size --newer --newermt --perm --uid --maxdepth --long -l --layers --print0 -0 --json --platform --layer --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'du') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --summarize -s --max-depth -d --human -H --json --platform --layer --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'extract') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--directory -C --tar --platform --layer --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'waste') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--platform --all -a --max-wasted --min-efficiency --ci --ci-config --top --json --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'diff') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--only --content --ignore-mtime --full --platform --format -f --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --shared-blob-dir --daemon-host --help" -- "$cur")); fi ;;
    'tags') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--filter --exclude --limit --format --semver --omit-digest-tags --sort --reverse --digests --platforms --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'repos') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--filter --exclude --limit --format --full-ref --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'digest') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--platform --full-ref --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'manifest get') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--platform --output -o --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'blob get') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--output -o --authfile --cert-dir --creds --username --password --registry-token --no-creds --tls-verify --registries-conf --help" -- "$cur")); fi ;;
    'runtime spec') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--bundle -b --rootless --help" -- "$cur")); fi ;;
    'runtime create') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--bundle -b --pid-file --console-socket --preserve-fds --no-new-keyring --detach -d --no-pivot --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime start') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime state') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime kill') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--all -a --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime delete') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--force -f --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime pause') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime resume') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime run') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--bundle -b --pid-file --console-socket --preserve-fds --no-new-keyring --detach -d --keep --no-pivot --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime exec') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--process -p --cwd --env -e --user -u --additional-gids -g --cap -c --tty -t --no-new-privs --pid-file --console-socket --preserve-fds --no-new-keyring --detach -d --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime list') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--format -f --quiet -q --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime ps') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--format -f --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime update') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--resources -r --memory --memory-reservation --memory-swap --cpu-shares --cpu-quota --cpu-period --cpuset-cpus --cpuset-mems --pids-limit --root --log --log-format --systemd-cgroup --help" -- "$cur")); fi ;;
    'runtime features') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'completion') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
    'help') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "--help" -- "$cur")); fi ;;
  esac
}
complete -o bashdefault -o default -F _lade lade
