"""Cases of whole builds, lade beside buildah: steps, files, stages. bench/run explains how they are measured."""
import shlex

LABELS = 30
BIG = "dd if=/dev/urandom of=/big bs=1M count=1000 2>/dev/null"


def heavy(number):
    """Computing and writing; different words for each stage, as lade runs equal steps of equal stages once."""
    return (f"i={number}; while [ $i -lt 200000 ]; do i=$((i+1)); done; "
            "dd if=/dev/urandom of=/out bs=1M count=100 2>/dev/null")


class BuildCases:
    def __init__(self, programs, services, case, side):
        self.programs = programs
        self.services = services
        self.case = case
        self.side = side

    def built(self, name, lines, words=(), context=None, reuse=False, lade_words=(), **goals):
        """Builds `lines` in `context`, a path of the corpus, or in a context that is only a Containerfile."""
        programs = self.programs

        def command(work, build, load, store, own):
            if not (work / store).exists():
                load(work)
            file = programs.context(work, lines) / "Containerfile"
            return build(work, *words, *own, "-f", file, "-t", "localhost/result", context or file.parent)

        sides = [self.side("lade", lambda work: command(work, programs.lade_build, programs.load_lade, "store", lade_words)),
                 self.side("buildah", lambda work: command(work, programs.buildah_build, programs.load_buildah, "root", ()))]
        return self.case(name, sides, reuse=reuse, **goals)

    def pushed(self, name, tree, **goals):
        """Builds an image of `tree` and pushes it to an empty registry; buildah by two commands."""
        programs = self.programs

        def lade(work):
            programs.load_lade(work)
            target = f"{self.services.registry(work / 'registry')}/result:1"
            file = programs.context(work, "COPY . /data\n") / "Containerfile"
            return programs.lade_build(work, "--tls-verify=false", "--push", "-f", file, "-t", target, programs.corpus / tree)

        def buildah(work):
            programs.load_buildah(work)
            target = f"{self.services.registry(work / 'registry')}/result:1"
            file = programs.context(work, "COPY . /data\n") / "Containerfile"
            commands = [programs.buildah_build(work, "-f", file, "-t", target, programs.corpus / tree),
                        programs.buildah(work, "push", "--tls-verify=false", target)]
            return ["sh", "-c", " && ".join(shlex.join(map(str, words)) for words in commands)]

        return self.case(name, [self.side("lade", lade), self.side("buildah", buildah)], **goals)

    def all(self):
        corpus = self.programs.corpus
        stages = "".join(f"FROM localhost/base:latest AS s{i}\nRUN {heavy(i)}\n" for i in range(2))
        last = "FROM localhost/base:latest\n" + "".join(f"COPY --from=s{i} /out /out{i}\n" for i in range(2))
        return [
            self.built("labels", "".join(f"LABEL l{i}={i}\n" for i in range(LABELS)), goal_wall=0.03),
            self.built("copy-small-cached", "COPY . /data\n", context=corpus / "small", reuse=True, goal_wall=0.01, runs=3),
            self.built("add-tar", "ADD large.tar /data/\n", context=corpus, goal_wall=0.15, runs=3),
            self.built("run-writes-1gb", f"RUN {BIG}\n", goal_wall=0.15, runs=3),
            self.pushed("build-and-push", "large", goal_wall=0.2, runs=3),
            self.built("two-stages", stages + last, words=["--jobs", "2"], goal_wall=0.5, runs=3),
        ]
