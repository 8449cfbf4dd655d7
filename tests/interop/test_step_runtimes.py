"""lade build --runtime: crun and runc make the containers, and the image is the built-in runner's, byte for byte."""
import os
import pathlib

from lade_testing import Case, busybox_context, main, need

CONTAINERFILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN --mount=type=secret,id=key --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch \\
    cat /run/secrets/key /etc/hosts > /dev/null && touch /cache/a /scratch/b && mkdir -p /made/here && rm /bin/ls && echo x > /made/file
RUN --network=none ip link | grep -c : > /made/links
RUN chown 5:6 /made/file && chmod 4755 /made/here
USER 5:6
WORKDIR /work
RUN id -u > /made/denied 2> /dev/null || pwd
"""


class StepRuntimes(Case):
    def test_layers_are_the_same_whoever_makes_the_containers(self):
        need("crun", "runc")
        context = busybox_context(self.tmp / "context")
        (context / "Containerfile").write_text(CONTAINERFILE)
        environment = {"SOURCE_DATE_EPOCH": "1700000000", "KEY": "of nobody"}
        digests = {}
        for runtime in ("", "crun", "runc"):
            self.store = self.tmp / f"store-{runtime or 'own'}"
            words = ("--runtime", runtime) if runtime else ()
            digests[runtime] = self.lade("build", "--secret", "id=key,env=KEY", *words, context, env=environment).out
        self.assertEqual(len(set(digests.values())), 1, digests)
        self.assertEqual([p for p in pathlib.Path("/tmp").glob("bundle-*") if p.stat().st_uid == os.getuid()], [])

    def test_statuses_and_missing_runtimes_are_told(self):
        context = busybox_context(self.tmp / "context")
        (context / "Containerfile").write_text('FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "exit 37"]\n')
        failed = self.lade_fails("build", "--runtime", "runc", context, status=37)
        self.assertIn("the command ended with status 37", failed.err)
        failed = self.lade_fails("build", "--runtime", "no-such-runtime", context, status=2)
        self.assertIn("option --runtime: 'no-such-runtime' is not installed", failed.err)


if __name__ == "__main__":
    main()
