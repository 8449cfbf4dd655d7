/// Where COPY and ADD read from: the build context, or the tree of another stage.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/digest/hasher.h"
#include "libimage/layer/entry.h"

namespace lade::build {

/// A SHA-256 as its 32 bytes: a context may have a million of them in memory.
using Sha256 = std::array<std::uint8_t, 32>;

/// The bytes of a sha256 digest. @pre `digest` is one.
Sha256 raw_sha256(const Digest& digest);
/// SHA-256 of the content of a regular file.
Sha256 hash_content(const ContentRef& content, const std::stop_token& stop);
/// 64 hex digits.
std::string to_hex(const Sha256& sha);

/// What makes two names of one tree the same file.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
};

/// A file of a tree with what a step's key holds of it.
struct WalkedFile {
  const std::string& path;
  const Attributes& attributes;
  const Sha256* content = nullptr;  ///< of regular files
  FileIdentity identity = {};       ///< of regular files
};
using WalkVisit = std::function<void(const WalkedFile&)>;

/// Paths are clean and relative to the tree's root; "" is the root.
class SourceTree {
 public:
  virtual ~SourceTree() = default;
  /// lstat with extended attributes; nullopt if absent. A socket is absent: layers have no type for
  /// it.
  virtual std::optional<Attributes> lookup(const std::string& path) = 0;
  /// `path` with every link followed inside the tree.
  virtual std::string resolve(const std::string& path) = 0;
  /// Names in a directory, sorted.
  virtual std::vector<std::string> list(const std::string& path) = 0;
  virtual ContentRef content(const std::string& path) = 0;
  virtual FileIdentity identity(const std::string& path) = 0;
  /// Content digest of a regular file, read if it is not known.
  virtual Sha256 digest(const std::string& path, const std::stop_token& stop) = 0;
  /// Makes later digest() calls for `paths` cheap, reading several files at once.
  virtual void prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                               const std::stop_token& stop) = 0;
  /// Reads what later calls want to know of the directories at and below `path`, several at once.
  virtual void prepare(const std::string& path, unsigned jobs, const std::stop_token& stop);
  /// Visits `path`, whose attributes are `attributes`, and all below it: directories before what is
  /// in them, names in order. Contents whose digest is not known are read, `jobs` at once. `visit`
  /// calls nothing of the tree.
  virtual void walk(const std::string& path, const Attributes& attributes, unsigned jobs,
                    const std::stop_token& stop, const WalkVisit& visit);
  /// Tells what digest() would have found for the file whose content() is `content`, so that nobody
  /// reads it again. Thread-safe; what is not of this tree is ignored.
  virtual void remember(const ContentRef& content, const Sha256& sha) = 0;
  /// Why a path that exists is not shown, for messages; "" if it does not exist.
  virtual std::string why_hidden(const std::string& path) = 0;
};

}  // namespace lade::build
