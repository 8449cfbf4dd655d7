"""The cases that look at images, lade beside skopeo: an index of eight platforms in full beside one of its images."""


class InspectCases:
    def __init__(self, programs, made, services, case, side):
        self.programs, self.images, self.services = programs, made, services
        self.case, self.side = case, side

    def pair(self, name, words, **goals):
        """`words(work)` are the arguments of both programs' inspect."""
        return self.case(name, [self.side("lade", lambda work: [self.programs.lade, "inspect", *words(work)]),
                                self.side("skopeo", lambda work: ["skopeo", "inspect", *words(work)])], **goals)

    def all(self):
        near = lambda: self.images.registry()
        far = lambda: self.services.delayed(self.images.registry(), 30)
        remote = lambda address: lambda work: ["--tls-verify=false", f"docker://{address()}/eight:1"]
        return [
            self.pair("inspect-registry", remote(near), goal_wall=0.5, runs=15),
            self.pair("inspect-far-registry", remote(far), goal_wall=1.0, runs=15),
            self.pair("inspect-local", lambda work: [f"oci:{self.images.layout()}:eight"], goal_wall=0.15, runs=15),
        ]
