/// A file system tree as this module reads it: a root file system, an unpacked layer, a directory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lade::packages {

/// A regular file, read at any offset. Used by one thread at a time.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Fills the front of `out` from `offset` and returns how many bytes; fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
};

struct TreeEntry {
  enum class Kind { file, directory, other };
  std::string name;
  Kind kind = Kind::other;
  std::uint64_t size = 0;   ///< files
  bool executable = false;  ///< files: an x bit is set
};

/// Paths are relative, without leading slash; "" is the root.
class Tree {
 public:
  virtual ~Tree() = default;
  /// Entries of a directory, sorted by name, links as what they are (`other`); nullopt if there is
  /// no such directory.
  virtual std::optional<std::vector<TreeEntry>> list(const std::string& path) = 0;
  /// A regular file (links followed inside the tree); null if there is none.
  virtual std::unique_ptr<File> open(const std::string& path) = 0;

  /// The whole content; nullopt if there is no such file. Error{limit_exceeded} beyond `limit`
  /// bytes.
  std::optional<std::string> read(const std::string& path, std::uint64_t limit);
};

/// A text as a file; borrows it.
class TextFile final : public File {
 public:
  explicit TextFile(std::string_view text) : text_(text) {}
  [[nodiscard]] std::uint64_t size() const override { return text_.size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  std::string_view text_;
};

}  // namespace lade::packages
