/// Owner, mode, xattrs and times of files being unpacked, always through a descriptor or a name in
/// an open directory, never through a path that could lead elsewhere. Internal to the layer module.
#pragma once
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/layer/entry.h"
#include "libimage/layer/xattrs.h"

namespace lade {

/// Sets what `attributes` says on the file `fd` was opened for writing on; `fd` keeps what the
/// kernel clears on chown and write (setuid, capabilities) by the order of the calls.
/// Rights::own leaves the owner alone.
void set_file_attributes(int fd, const Attributes& attributes, Rights rights);

enum class OldXattrs { none, replace };

/// The same for a directory, FIFO or device node held by an O_PATH descriptor.
void set_node_attributes(int fd, const Attributes& attributes, Rights rights, OldXattrs old_xattrs);

/// The same for the symbolic link `name` in `dir`; links have no mode.
void set_link_attributes(const DirFd& dir, const std::string& name, const Attributes& attributes,
                         Rights rights);

/// Sets the mtime through any descriptor, O_PATH too; the atime stays.
void set_mtime(int fd, const Timestamp& mtime);

/// Marks the directory `fd` (O_PATH) as hiding the lower layers' content (overlayfs).
void set_opaque(int fd, Rights rights);

}  // namespace lade
