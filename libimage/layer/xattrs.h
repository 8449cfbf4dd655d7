/// Extended attributes: which of them layers carry, and how they are read and set. Internal to the
/// layer module.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/io/kept_owner.h"

namespace lade {

/// Name to value, exact bytes.
using Xattrs = std::map<std::string, std::string>;

/// True for what belongs to the file wherever it is: user.*, trusted.*, security.capability,
/// security.ima and POSIX ACLs, but nothing of overlayfs. Labels of the host's policy
/// (security.selinux and the like) and other systems' namespaces are not carried.
bool carried_in_layers(std::string_view name) noexcept;

/// What overlayfs recorded in xattrs of an upper directory's file.
struct OverlayMarks {
  bool opaque = false;      ///< "y"
  bool whiteout = false;    ///< a regular file that is a whiteout (Linux 6.7)
  bool metacopy = false;    ///< the content is in a lower layer
  bool redirected = false;  ///< a directory that was renamed
};

struct FoundXattrs {
  Xattrs carried = {};
  OverlayMarks overlay = {};
  std::optional<KeptOwner> owner = {};  ///< of kOwnerXattr
};

/// How a path names its file: by the entry "/proc/self/fd/DIR/NAME", where a final link is not
/// followed, or by the descriptor "/proc/self/fd/FD".
enum class Named { by_entry, by_descriptor };

/// The xattrs of the file. File systems without xattrs have none. Throws Error{io...}.
FoundXattrs read_xattrs(const std::string& path, Named named);

/// How much the caller may do.
enum class Rights {
  all,  ///< everything: what is denied is an error
  /// The same in trees that only lade reads: what a user namespace denies its root is made up for.
  /// An owner that it has no id for is kept beside the file (io/kept_owner.h), a device becomes an
  /// empty file, and "trusted." attributes are left out.
  kept,
  own,  ///< what is the caller's: no owners, no devices
};
constexpr bool sets_owners(Rights rights) noexcept { return rights != Rights::own; }
/// Rights of this process in the trees of the local store.
Rights rights_in_store() noexcept;

/// Sets `wanted` on the file, as far as they are carried in layers. POSIX ACLs that break their
/// format are Error{invalid_content}, a file system without xattrs is Error{unsupported}.
/// Rights::own: what the kernel denies is left out.
void set_xattrs(const std::string& path, Named named, const Xattrs& wanted, Rights rights);

/// As set_xattrs(), and removes other carried xattrs that are there.
void replace_xattrs(const std::string& path, Named named, const Xattrs& wanted, Rights rights);

}  // namespace lade
