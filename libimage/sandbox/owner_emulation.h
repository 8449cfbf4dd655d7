/// Changes of owner where a user namespace has one id only: the kernel asks (seccomp user
/// notification, seccomp_unotify(2)), and the owner is kept beside the file (io/kept_owner.h).
/// stat(2) goes on to show the one id.
#pragma once
#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

/// In the process that is to be answered for, before it executes anything: from now on its and its
/// children's chown(2), lchown(2), fchown(2) and fchownat(2) wait for an answer on the result. It
/// needs CAP_SYS_ADMIN. Empty where the kernel cannot (before 5.0).
UniqueFd ask_for_owner_changes();

/// Answers what asks on `listener`, in a process with the same root and pid namespace. Files that
/// can keep no owner (links, pipes) stay as they are, and the caller is told that it worked.
void answer_owner_change(int listener);

}  // namespace lade::sandbox
