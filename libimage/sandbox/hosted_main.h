/// The first process of a hosted step, in a mount namespace of its own.
#pragma once
#include "libimage/sandbox/set_up.h"

namespace lade::sandbox {

/// Runs the container by the runtime and waits; its command's exit status. Whatever ends this
/// early, the container is deleted. The root is set up by set_up_hosted().
int run_hosted_container(const Step& step);

}  // namespace lade::sandbox
