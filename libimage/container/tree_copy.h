/// Copies of whole trees: what a step runs in where overlayfs cannot be mounted.
#pragma once
#include "libimage/base/unique_fd.h"

namespace lade {

/// Copies everything in `from` into the empty directory `to`, and the attributes of `from` itself:
/// types, modes, owners (as root), mtimes, xattrs, hard links, devices, holes. Contents are shared
/// by reflink where the file system can, else copied by the kernel. `from` must not change
/// meanwhile; sockets are left out. Other file systems mounted below are Error{denied}.
void copy_tree(const DirFd& from, const DirFd& to);

}  // namespace lade
