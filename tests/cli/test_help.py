"""Help, manual pages, completions and answers to wrong words: all from the same tables."""
import os
import re
import subprocess
import unittest

from lade_testing import Case, LADE, SOURCE, main, need, run

VERBS = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", run(LADE, "--help").out, re.M)  # the table's: verbs.cpp


def options_of(verb):
    text = run(LADE, *verb.split(), "--help").out
    return set(re.findall(r"^\s+(?:-\w, )?--([a-z0-9-]+)", text, re.M))


class Help(Case):
    def test_every_verb_explains_itself(self):
        for verb in VERBS:
            text = run(LADE, *verb.split(), "--help").out
            self.assertTrue(text.startswith(f"Usage: lade {verb}"), text)
            self.assertIn("Options:", text)
            if verb != "help":
                self.assertIn("Examples:", text, verb)
            self.assertLessEqual(max(map(len, text.splitlines())), 130, verb)

    def test_general_help_lists_every_verb_once(self):
        text = run(LADE, "--help").out
        for verb in VERBS:
            self.assertEqual(len(re.findall(rf"^  {verb} ", text, re.M)), 1, verb)

    def test_version_prints_one_line(self):
        self.assertRegex(run(LADE, "--version").out, r"\Alade version \d+\.\d+\.\d+\n\Z")

    def test_unknown_verbs_and_options_name_the_nearest(self):
        cases = [(["biuld"], "did you mean 'build'"), (["copy", "--al", "a", "b"], "did you mean '--all'"),
                 (["index", "crate"], "index create"), (["inspect", "--confg", "x"], "did you mean '--config'"),
                 (["--stor", "x", "images"], "unknown option '--stor'")]
        for words, expected in cases:
            result = run(LADE, *words, check=False)
            self.assertEqual(result.status, 2, words)
            self.assertIn(expected, result.err)
            self.assertEqual(result.out, "")

    def test_wrong_numbers_of_arguments_are_refused(self):
        for words in (["copy", "a"], ["copy"], ["inspect"], ["images", "x"], ["build", "a", "b"]):
            result = run(LADE, *words, check=False)
            self.assertEqual(result.status, 2, words)
            self.assertIn("arguments", result.err)

    def test_choices_and_numbers_are_checked(self):
        for words in (["copy", "--format", "rar", "a", "b"], ["copy", "--jobs", "0", "a", "b"],
                      ["copy", "--dest-compress-format", "gzip", "--dest-compress-level", "10", "a", "b"],
                      ["copy", "--src-tls-verify=perhaps", "docker://localhost:1/a", "dir:b"],
                      ["copy", "--all", "--platform", "linux/amd64", "a", "b"]):
            result = run(LADE, *words, check=False)
            self.assertEqual(result.status, 2, (words, result.err))

    def test_no_words_at_all_print_help_on_stderr(self):
        result = run(LADE, check=False)
        self.assertEqual(result.status, 2)
        self.assertIn("Usage: lade", result.err)

    def test_a_full_disk_or_closed_pipe_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LADE, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


class Documents(Case):
    """The committed manual pages and completions are what the tables give."""

    def compare(self, path, text):
        target = SOURCE / path
        if os.environ.get("LADE_ACCEPT"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.assertTrue(target.exists(), f"{path} is missing: run this test with LADE_ACCEPT=1")
        self.assertEqual(target.read_text(), text, f"{path} is stale: run this test with LADE_ACCEPT=1")

    def test_manual_pages_are_current(self):
        self.compare("docs/man/lade.1", run(LADE, "man").out)
        for verb in VERBS:
            page = "lade-" + verb.replace(" ", "-")
            text = run(LADE, "man", *verb.split()).out
            self.compare(f"docs/man/{page}.1", text)
            for option in options_of(verb):
                self.assertIn("\\-\\-" + option.replace("-", "\\-"), text, (verb, option))

    def test_completions_are_current_and_name_every_option(self):
        for shell, name in (("bash", "lade.bash"), ("zsh", "_lade"), ("fish", "lade.fish")):
            text = run(LADE, "completion", shell).out
            self.compare(f"completions/{name}", text)
            for verb in VERBS:
                for option in options_of(verb):
                    self.assertRegex(text, rf"(--|-l ){option}\b", (shell, verb, option))

    def test_shells_accept_the_completions(self):
        need("bash", "zsh", "fish")
        run("bash", "-n", SOURCE / "completions/lade.bash")
        run("zsh", "-n", SOURCE / "completions/_lade")
        run("fish", "--no-execute", SOURCE / "completions/lade.fish")

    def test_bash_completes_verbs_options_and_choices(self):
        def complete(*words):
            script = (f"source {SOURCE}/completions/lade.bash; COMP_WORDS=({' '.join(words)!s}); "
                      f"COMP_CWORD={len(words) - 1}; _lade; echo ${{COMPREPLY[@]}}")
            return run("bash", "-c", script).out.split()

        self.assertIn("inspect", complete("lade", "ins"))
        self.assertEqual(complete("lade", "index", "cr"), ["create"])
        self.assertEqual(complete("lade", "manifest", "''"), ["put", "get"])
        self.assertEqual(complete("lade", "man").count("manifest"), 1)
        self.assertIn("--output", complete("lade", "manifest", "get", "--o"))
        self.assertIn("--dest-compress-format", complete("lade", "copy", "--dest-c"))
        self.assertEqual(complete("lade", "copy", "--format", "do"), ["docker"])
        self.assertIn("--annotation", complete("lade", "--store", "x", "index", "annotate", "--a"))

    def test_manual_pages_render(self):
        need("groff")
        for page in sorted((SOURCE / "docs/man").glob("*.1")):
            result = run("groff", "-man", "-Tutf8", "-ww", page)
            self.assertEqual(result.err, "", page)


if __name__ == "__main__":
    main()
