#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libimage/base/timestamp.h"
#include "libimage/base/unique_fd.h"

namespace lade {

enum class FileType { regular, directory, symlink, fifo, character, block };

/// What a layer records of one file (image-spec v1.1.1, layer.md, "File Attributes").
struct Attributes {
  FileType type = FileType::regular;
  std::uint32_t mode = 0;  ///< permission bits and setuid, setgid, sticky: 0 to 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< bytes; regular files only
  Timestamp mtime = {};
  std::string link_target = {};  ///< symlinks only, exact bytes
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs = {};  ///< name to value, exact bytes
  bool operator==(const Attributes&) const = default;
};

/// Where the bytes of a regular file are.
struct ContentRef {
  std::shared_ptr<const DirFd> root = {};  ///< the file is `path` below it, opened in that root
  std::string path = {};
  std::optional<std::uint64_t> offset = {};      ///< set: a piece of that file, which begins there
  std::shared_ptr<const std::string> text = {};  ///< or these bytes, if set
};

/// One entry of a layer to be written.
struct LayerEntry {
  enum class Kind {
    file,      ///< anything with attributes, added or changed
    hardlink,  ///< another name of `link_to`, an entry earlier in the same layer
    whiteout,  ///< `path` of the lower layers is gone
    opaque,    ///< directory `path`: nothing of the lower layers' content shows; its own entry is a
               ///< `file`
  };
  Kind kind = Kind::file;
  std::string path =
      {};  ///< clean, relative to the root, no leading slash; "" is the root directory
  Attributes attributes = {};
  std::string link_to = {};
  ContentRef content = {};  ///< regular files only
};

}  // namespace lade
