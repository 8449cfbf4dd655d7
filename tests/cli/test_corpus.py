"""Every Containerfile of testdata/build gives the tree and the config that the rules of the language say, or the error."""
import concurrent.futures
import os

import corpus
from lade_testing import Case, main


class Corpus(Case):
    def test_every_case_is_as_the_language_says(self):
        corpus.make_context(self.tmp / "context")
        base_name = corpus.make_base(self.tmp / "base", self.store)
        base = corpus.Image(self.tmp / "base/base", "base")
        only = os.environ.get("LADE_CASE", "")
        cases = [case for case in corpus.cases() if only in case.name]
        self.assertGreaterEqual(len(cases), 1 if only else 120)

        def problems(case):
            output = self.tmp / "out" / case.name
            result = self.lade("build", *case.words(base_name), "-o", f"oci:{output}:out", self.tmp / "context", check=False,
                               cwd=self.tmp / "context")
            found = [f"no warning {text}" for text in case.warnings if text not in result.err]
            if case.errors:
                found += [f"no error {text!r}" for text in case.errors if text not in result.err]
                found += [] if result.status == case.status else [f"status {result.status}"]
            elif result.status != 0:
                found.append(f"status {result.status}")
            else:
                found += case.problems(corpus.Image(output, "out"), base)
            return [f"{case.name}: {line}" for line in found] + ([result.err] if found else [])

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            lines = [line for found in pool.map(problems, cases) for line in found]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
