/// The set-up of a step or container inside its namespaces.
#pragma once
#include <optional>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/step_spec.h"

namespace lade::sandbox {

/// Everything that the first process holds.
struct Step {
  StepSpec spec;
  int outer_pid = 0;  ///< this process's id in the runtime's pid namespace, if it was told
  MountedRoot root = {};
  std::optional<MountPoints> points = std::nullopt;
  UniqueFd cwd = UniqueFd();
  UniqueFd console = UniqueFd();
};

/// Dies with the parent from the first moment, and shows the step neither its memory nor its
/// descriptors nor its program file (CVE-2016-9962, CVE-2019-5736).
void protect();

/// Takes on the ids of root in a user namespace that was entered or whose ids are mapped now.
void become_root();

/// From new namespaces to a root in which only the command is missing.
void set_up(Step& step);

/// The root and the pieces of a hosted step, in its bundle, in a mount namespace of this process's
/// own; mount points are made in the root, nothing is mounted on them.
void set_up_hosted(Step& step);

/// Enters the namespaces of a running container and opens the working directory in it.
void join_container(Step& step);

}  // namespace lade::sandbox
