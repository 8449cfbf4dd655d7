#pragma once
#include <cstddef>

#include <sys/types.h>

namespace lade {

/// llistxattr(2) of the entry `name` of the directory `dir`; a final link is not followed. With
/// `size` 0 the size that the names need. Uses listxattrat(2) of Linux 6.13, which need not find
/// the directory again by a path through /proc.
ssize_t list_xattr_names(int dir, const char* name, char* out, std::size_t size);

}  // namespace lade
