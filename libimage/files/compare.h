/// What differs between two images: config, layers, files, packages.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/files/image_files.h"
#include "libimage/oci/image_config.h"
#include "libimage/packages/package.h"

namespace lade::files {

enum class Change { added, removed, changed };
/// "added", "removed", "changed".
std::string_view name_of(Change change) noexcept;

/// Something that has a name and a text on either side.
struct TextChange {
  Change change = Change::changed;
  std::string name = {};
  std::string before = {};
  std::string after = {};
};

struct FileChange {
  Change change = Change::changed;
  std::string path = {};  ///< without leading slash
  RowRef before = {};     ///< does not exist: added
  RowRef after = {};
  /// What differs: "type", "mode", "owner", "size", "content", "target", "device", "xattrs",
  /// "mtime"; or "shared layers": one side's own layers write or hide the file, the other shows
  /// what shared layers have, which were not read.
  std::vector<std::string> what = {};
};

struct CompareOptions {
  enum class Times { ignore, compare };
  /// Of files; of configs the time of creation.
  Times times = Times::ignore;
  /// Whether shared layers that are not near are read all the same.
  enum class Shared { near, all };
  Shared shared = Shared::near;
};

/// How many layers, from the base up, are the same in both.
std::size_t shared_layers(const oci::Manifest& a, const oci::Manifest& b);

/// Both file systems as far as they are looked at.
class ComparedFiles {
 public:
  /// Reads layers of both images, which outlive the object. `shared`: see shared_layers().
  ComparedFiles(ImageFiles& a, ImageFiles& b, std::size_t shared, const CompareOptions& options);

  /// Sorted by path. Content without digests is read and compared.
  [[nodiscard]] std::vector<FileChange> changes() const;
  /// Packages of dpkg, apk, rpm, npm and Python that differ; what could not be compared is a
  /// remark.
  [[nodiscard]] std::vector<TextChange> package_changes(std::vector<std::string>& remarks) const;

  /// False if shared layers were left unread.
  [[nodiscard]] bool is_whole() const noexcept { return whole_; }
  [[nodiscard]] const MergedFiles& before() const noexcept { return *a_files_; }
  [[nodiscard]] const MergedFiles& after() const noexcept { return *b_files_; }

 private:
  void compare(PathId left, PathId right, std::vector<FileChange>& out) const;
  void add_one_sided(Change change, PathId path, std::vector<FileChange>& out) const;
  [[nodiscard]] bool same_content(RowRef left, RowRef right) const;
  [[nodiscard]] std::vector<std::string> differences(PathId left, PathId right) const;

  ImageFiles& a_;
  ImageFiles& b_;
  CompareOptions options_;
  bool equal_ = false;  // all layers are shared
  bool whole_ = true;
  std::unique_ptr<MergedFiles> a_owned_;
  std::unique_ptr<MergedFiles> b_owned_;
  const MergedFiles* a_files_ = nullptr;
  const MergedFiles* b_files_ = nullptr;
};

/// The fields of two configs that differ, lists such as env and labels item by item.
std::vector<TextChange> config_changes(const oci::ImageConfig& a, const oci::ImageConfig& b,
                                       const CompareOptions& options);

/// The packages of dpkg, apk, rpm, npm and Python in what `files` (of `image`) shows.
packages::Inventory packages_of(ImageFiles& image, const MergedFiles& files);

/// The lines in which two texts differ, as `diff -u` prints them, with three lines around; without
/// file names. Texts that differ too much are shown as replaced from the first to the last line.
std::string unified_diff(std::string_view before, std::string_view after);

/// True if `text` looks like one: UTF-8 without control characters but tabs and line ends.
bool is_text(std::string_view text) noexcept;

}  // namespace lade::files
