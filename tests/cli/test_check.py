"""lade build --check and --call: what a Containerfile says, without building it."""
import base64
import json

from lade_testing import Case, main

FILE = """# build makes it
FROM scratch AS build
# V is the version
ARG V=1
LABEL x=$V$W
FROM build AS last
CMD run
RUN --mount=type=secret,id=key,required --mount=type=ssh ["x"]
"""


class Check(Case):
    def setUp(self):
        super().setUp()
        self.write("c/Containerfile", FILE)

    def test_findings_in_text_end_with_status_1(self):
        result = self.lade_fails("build", "--check", self.tmp / "c")
        self.assertTrue(result.out.startswith("Check complete, 2 warnings have been found!\n\nWARNING: UndefinedVar - https://"))
        self.assertIn("\nUsage of undefined variable '$W' (did you mean $V?)\nContainerfile:5\n  4 | ARG V=1\n> 5 | LABEL x=$V$W\n", result.out)
        self.assertEqual(result.err, "")
        self.lade("build", "--call=check,ignorestatus=true", self.tmp / "c")
        self.assertFalse((self.store / "steps").exists() and any((self.store / "steps").iterdir()))

    def test_no_findings(self):
        self.write("c/Containerfile", "FROM scratch\nLABEL a=b\n")
        self.assertEqual(self.lade("build", "--check", self.tmp / "c").out, "Check complete, no warnings found.\n")

    def test_findings_in_json(self):
        found = json.loads(self.lade_fails("build", "--call", "check,format=json", self.tmp / "c").out)
        self.assertEqual([w["ruleName"] for w in found["warnings"]], ["UndefinedVar", "JSONArgsRecommended"])
        self.assertEqual(found["warnings"][1]["location"]["ranges"], [{"start": {"line": 7}, "end": {"line": 7}}])
        self.assertEqual(base64.b64decode(found["sources"][0]["data"]).decode(), FILE)
        self.assertNotIn("buildError", found)
        self.write("c/Containerfile", "FROM scratch\nRNU x\n")
        found = json.loads(self.lade_fails("build", "--call", "check,format=json", self.tmp / "c").out)
        self.assertIn("did you mean RUN?", found["buildError"]["message"])

    def test_a_build_warns_and_fails_only_where_it_is_told_to(self):
        result = self.lade("build", "--target", "build", self.tmp / "c")
        self.assertIn("warning: Containerfile:5: UndefinedVar: Usage of undefined variable '$W'", result.err)
        self.assertNotIn("JSONArgs", result.err)
        result = self.lade_fails("build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true", self.tmp / "c")
        self.assertIn("lint violation found for rules: JSONArgsRecommended, UndefinedVar", result.err)
        self.assertEqual(self.lade("build", "--target", "build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", self.tmp / "c",
                                   "--progress", "plain").err.count("warning"), 0)

    def test_outline(self):
        words = ["build", "--build-arg", "V=2", self.tmp / "c"]
        self.assertEqual(self.lade(*words, "--call", "outline").out,
                         "TARGET: last\n\nBUILD ARG   VALUE   DESCRIPTION\nV           2       is the version\n\n"
                         "SECRET   REQUIRED\nkey      true\n\nSSH       REQUIRED\ndefault\n\n")
        found = json.loads(self.lade(*words, "--call", "outline,format=json").out)
        self.assertEqual(found["args"][0]["value"], "2")
        self.assertEqual(found["secrets"], [{"name": "key", "required": True,
                                             "location": {"ranges": [{"start": {"line": 8}, "end": {"line": 8}}]}}])
        self.assertIn("there is no stage 'lost'", self.lade_fails(*words, "--call", "outline", "--target", "lost").err)

    def test_targets(self):
        self.assertEqual(self.lade("build", "--call", "targets", self.tmp / "c").out,
                         "TARGET           DESCRIPTION\nbuild            makes it\nlast (default)\n")
        found = json.loads(self.lade("build", "--call", "targets,format=json", self.tmp / "c").out)
        self.assertEqual([t.get("default", False) for t in found["targets"]], [False, True])

    def test_words_that_mean_nothing_are_refused(self):
        for words in (["--call", "lnit"], ["--call", "check,format=xml"], ["--check", "--call", "outline"]):
            self.lade_fails("build", *words, self.tmp / "c", status=2)


if __name__ == "__main__":
    main()
