"""A store on a disk that fills up: the build fails with the reason, the store stays valid, and with more room the build succeeds."""
import os

from lade_testing import Case, busybox_context, check_layout, main, run

FILE = """FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY data* /data/
RUN i=0; while [ $i -lt 4 ]; do /bin/busybox cat /data/* > /copy$i; i=$((i + 1)); done
RUN /bin/busybox rm /copy1
"""


class DiskFull(Case):
    def test_a_build_fails_cleanly_wherever_the_disk_fills_up_and_goes_on_with_more_room(self):
        context = busybox_context(self.tmp / "context")
        for i in range(4):
            (context / f"data{i}").write_bytes(os.urandom(400_000))
        (context / "Containerfile").write_text(FILE)
        environment = {"SOURCE_DATE_EPOCH": "1700000000"}
        words = ["build", "-t", "app", context]
        whole = run(os.environ["LADE"], "--store", self.tmp / "other", *words, env=environment).out
        self.store.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=200k", "lade-test", self.store)
        self.addCleanup(run, "umount", "-l", self.store, check=False)
        failures = 0
        for kilobytes in (200, 1000, 2000, 3000, 4000, 6000, 9000, 12000, 16000):
            run("mount", "-o", f"remount,size={kilobytes}k", self.store)
            result = self.lade(*words, env=environment, check=False)
            if (self.store / "index.json").exists():
                check_layout(self.store)
            if result.status == 0:
                self.assertEqual(result.out, whole)
                continue
            failures += 1
            self.assertIn("o space left on device", result.err)
            self.assertNotIn("terminate", result.err)
            self.assertGreater(result.status, 0)
        self.assertGreater(failures, 2)
        run("mount", "-o", "remount,size=64m", self.store)
        self.assertEqual(self.lade(*words, env=environment).out, whole)
        self.assertEqual(list((self.store / "tmp").iterdir()), [])


if __name__ == "__main__":
    main()
