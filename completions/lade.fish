# fish completion for lade
function __lade_verb
  set -l words (commandline -opc)
  set -e words[1]
  set -l verb
  for word in $words
    if not string match -q -- '-*' $word
      set -a verb $word
      test "$verb" = index; or break
    end
  end
  test "$verb" = "$argv[1]"
end
complete -c lade -f -n "__lade_verb ''" -a build
complete -c lade -f -n "__lade_verb ''" -a images
complete -c lade -f -n "__lade_verb ''" -a rmi
complete -c lade -f -n "__lade_verb ''" -a prune
complete -c lade -f -n "__lade_verb ''" -a index
complete -c lade -f -n "__lade_verb index" -a create
complete -c lade -f -n "__lade_verb index" -a add
complete -c lade -f -n "__lade_verb index" -a remove
complete -c lade -f -n "__lade_verb index" -a annotate
complete -c lade -f -n "__lade_verb ''" -a copy
complete -c lade -f -n "__lade_verb ''" -a inspect
complete -c lade -f -n "__lade_verb ''" -a completion
complete -c lade -f -n "__lade_verb ''" -a help
complete -c lade -n "__lade_verb 'build'" -l file -s f -r -d 'the Containerfile, or - for standard input; else Containerfile or Dockerfile in CONTEXT'
complete -c lade -n "__lade_verb 'build'" -l tag -s t -r -d 'name of the image in the local store'
complete -c lade -n "__lade_verb 'build'" -l output -s o -r -d 'also write the image there, as '\''lade copy'\'' would'
complete -c lade -n "__lade_verb 'build'" -l target -r -d 'build this stage, named or numbered from 0, instead of the last'
complete -c lade -n "__lade_verb 'build'" -l build-arg -r -d 'value of an ARG; without a value, that of the environment'
complete -c lade -n "__lade_verb 'build'" -l label -r -d 'a label of the image'
complete -c lade -n "__lade_verb 'build'" -l platform -r -d 'the platform to build for, if not this machine'\''s'
complete -c lade -n "__lade_verb 'build'" -l no-cache -d 'run every step again'
complete -c lade -n "__lade_verb 'build'" -l network -x -a "host none" -d 'network of RUN: the host'\''s, or a loopback interface only'
complete -c lade -n "__lade_verb 'build'" -l format -x -a "oci docker" -d 'format of the image'\''s manifest'
complete -c lade -n "__lade_verb 'build'" -l compression-format -x -a "gzip zstd uncompressed" -d 'codec of the layers that are made'
complete -c lade -n "__lade_verb 'build'" -l compression-level -r -d '1 to 9 for gzip, 1 to 22 for zstd, or '\''fastest'\'''
complete -c lade -n "__lade_verb 'build'" -l ignorefile -r -d 'patterns of what in CONTEXT to ignore, instead of .containerignore or .dockerignore'
complete -c lade -n "__lade_verb 'build'" -l iidfile -r -d 'write the image ID (digest of the config) to this file'
complete -c lade -n "__lade_verb 'build'" -l digestfile -r -d 'write the digest of the manifest to this file'
complete -c lade -n "__lade_verb 'build'" -l jobs -s j -r -d 'stages built at once (default: one for each CPU)'
complete -c lade -n "__lade_verb 'build'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'build'" -l cert-dir -r -d 'directory with *.crt, *.cert and *.key files for TLS'
complete -c lade -n "__lade_verb 'build'" -l creds -r -d 'credentials for the registry'
complete -c lade -n "__lade_verb 'build'" -l tls-verify -d 'require https and verify certificates; false also allows plain http'
complete -c lade -n "__lade_verb 'build'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'build'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'images'" -l format -x -a "table json" -d 'how to print the list'
complete -c lade -n "__lade_verb 'images'" -l quiet -s q -d 'print digests only'
complete -c lade -n "__lade_verb 'prune'" -l all -s a -d 'also the results of build steps, so that the next build starts cold'
complete -c lade -n "__lade_verb 'index create'" -l annotation -r -d 'an annotation of the index'
complete -c lade -n "__lade_verb 'index create'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'index create'" -l src-cert-dir -r -d 'directory with TLS files for the source'
complete -c lade -n "__lade_verb 'index create'" -l dest-cert-dir -r -d 'directory with TLS files for the destination'
complete -c lade -n "__lade_verb 'index create'" -l src-creds -r -d 'credentials for the source registry'
complete -c lade -n "__lade_verb 'index create'" -l dest-creds -r -d 'credentials for the destination registry'
complete -c lade -n "__lade_verb 'index create'" -l src-tls-verify -d 'require https and verify certificates for the source'
complete -c lade -n "__lade_verb 'index create'" -l dest-tls-verify -d 'require https and verify certificates for the destination'
complete -c lade -n "__lade_verb 'index create'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'index create'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'index add'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'index add'" -l src-cert-dir -r -d 'directory with TLS files for the source'
complete -c lade -n "__lade_verb 'index add'" -l dest-cert-dir -r -d 'directory with TLS files for the destination'
complete -c lade -n "__lade_verb 'index add'" -l src-creds -r -d 'credentials for the source registry'
complete -c lade -n "__lade_verb 'index add'" -l dest-creds -r -d 'credentials for the destination registry'
complete -c lade -n "__lade_verb 'index add'" -l src-tls-verify -d 'require https and verify certificates for the source'
complete -c lade -n "__lade_verb 'index add'" -l dest-tls-verify -d 'require https and verify certificates for the destination'
complete -c lade -n "__lade_verb 'index add'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'index add'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'index remove'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'index remove'" -l src-cert-dir -r -d 'directory with TLS files for the source'
complete -c lade -n "__lade_verb 'index remove'" -l dest-cert-dir -r -d 'directory with TLS files for the destination'
complete -c lade -n "__lade_verb 'index remove'" -l src-creds -r -d 'credentials for the source registry'
complete -c lade -n "__lade_verb 'index remove'" -l dest-creds -r -d 'credentials for the destination registry'
complete -c lade -n "__lade_verb 'index remove'" -l src-tls-verify -d 'require https and verify certificates for the source'
complete -c lade -n "__lade_verb 'index remove'" -l dest-tls-verify -d 'require https and verify certificates for the destination'
complete -c lade -n "__lade_verb 'index remove'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'index remove'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'index annotate'" -l annotation -r -d 'set an annotation; KEY- removes it'
complete -c lade -n "__lade_verb 'index annotate'" -l index -d 'annotate the index itself, not an entry'
complete -c lade -n "__lade_verb 'index annotate'" -l os -r -d 'operating system of the entry'
complete -c lade -n "__lade_verb 'index annotate'" -l arch -r -d 'architecture of the entry'
complete -c lade -n "__lade_verb 'index annotate'" -l variant -r -d 'variant of the entry'\''s architecture; empty removes it'
complete -c lade -n "__lade_verb 'index annotate'" -l os-version -r -d 'version of the entry'\''s operating system; empty removes it'
complete -c lade -n "__lade_verb 'index annotate'" -l os-features -r -d 'a feature that the entry'\''s operating system must have'
complete -c lade -n "__lade_verb 'index annotate'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'index annotate'" -l src-cert-dir -r -d 'directory with TLS files for the source'
complete -c lade -n "__lade_verb 'index annotate'" -l dest-cert-dir -r -d 'directory with TLS files for the destination'
complete -c lade -n "__lade_verb 'index annotate'" -l src-creds -r -d 'credentials for the source registry'
complete -c lade -n "__lade_verb 'index annotate'" -l dest-creds -r -d 'credentials for the destination registry'
complete -c lade -n "__lade_verb 'index annotate'" -l src-tls-verify -d 'require https and verify certificates for the source'
complete -c lade -n "__lade_verb 'index annotate'" -l dest-tls-verify -d 'require https and verify certificates for the destination'
complete -c lade -n "__lade_verb 'index annotate'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'index annotate'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'copy'" -l all -s a -d 'copy an index with everything that it lists'
complete -c lade -n "__lade_verb 'copy'" -l multi-arch -x -a "system all index-only" -d 'what to copy of an index'
complete -c lade -n "__lade_verb 'copy'" -l platform -r -d 'the image of an index to copy, if not this machine'\''s'
complete -c lade -n "__lade_verb 'copy'" -l format -s f -x -a "oci docker" -d 'convert manifests to this format'
complete -c lade -n "__lade_verb 'copy'" -l dest-compress-format -x -a "gzip zstd uncompressed" -d 'compress layers with this codec where they are not already'
complete -c lade -n "__lade_verb 'copy'" -l dest-compress-level -r -d '1 to 9 for gzip, 1 to 22 for zstd, or '\''fastest'\'' (gzip, larger, bytes depend on the CPU family)'
complete -c lade -n "__lade_verb 'copy'" -l dest-force-compress-format -d 'compress again even if the codec is right already'
complete -c lade -n "__lade_verb 'copy'" -l preserve-digests -d 'fail if the copy cannot have the source'\''s digests'
complete -c lade -n "__lade_verb 'copy'" -l digestfile -r -d 'write the digest of the copy to this file'
complete -c lade -n "__lade_verb 'copy'" -l additional-tag -r -d 'one more tag at the destination'
complete -c lade -n "__lade_verb 'copy'" -l jobs -s j -r -d 'blobs copied at once (default 6)'
complete -c lade -n "__lade_verb 'copy'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'copy'" -l src-cert-dir -r -d 'directory with TLS files for the source'
complete -c lade -n "__lade_verb 'copy'" -l dest-cert-dir -r -d 'directory with TLS files for the destination'
complete -c lade -n "__lade_verb 'copy'" -l src-creds -r -d 'credentials for the source registry'
complete -c lade -n "__lade_verb 'copy'" -l dest-creds -r -d 'credentials for the destination registry'
complete -c lade -n "__lade_verb 'copy'" -l src-tls-verify -d 'require https and verify certificates for the source'
complete -c lade -n "__lade_verb 'copy'" -l dest-tls-verify -d 'require https and verify certificates for the destination'
complete -c lade -n "__lade_verb 'copy'" -l progress -x -a "auto plain tty json none" -d 'how progress is shown on standard error'
complete -c lade -n "__lade_verb 'copy'" -l quiet -s q -d 'no progress at all, like --progress none'
complete -c lade -n "__lade_verb 'inspect'" -l raw -d 'print the exact bytes of the manifest or index (of the config, with --config)'
complete -c lade -n "__lade_verb 'inspect'" -l config -d 'print the config of the image'
complete -c lade -n "__lade_verb 'inspect'" -l format -s f -x -a "text json" -d 'how to print the tree'
complete -c lade -n "__lade_verb 'inspect'" -l platform -r -d 'show the image of an index for this platform alone'
complete -c lade -n "__lade_verb 'inspect'" -l referrers -d 'also list what refers to each image: signatures, SBOMs, artifacts'
complete -c lade -n "__lade_verb 'inspect'" -l authfile -r -d 'registry credentials in the format of auth.json'
complete -c lade -n "__lade_verb 'inspect'" -l cert-dir -r -d 'directory with *.crt, *.cert and *.key files for TLS'
complete -c lade -n "__lade_verb 'inspect'" -l creds -r -d 'credentials for the registry'
complete -c lade -n "__lade_verb 'inspect'" -l tls-verify -d 'require https and verify certificates; false also allows plain http'
