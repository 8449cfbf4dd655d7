/// The file system that layers make, one on the other: whiteouts and opaque directories applied,
/// links on the way to an entry followed, as apply_layer() does it (docs/design/0004-apply.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libimage/files/file_pool.h"
#include "libimage/files/layer_files.h"

namespace lade::files {

/// One row of one layer.
struct RowRef {
  std::uint32_t layer = kNoLayer;
  std::uint32_t row = 0;
  static constexpr std::uint32_t kNoLayer = 0xFFFFFFFFU;
  /// Directories that no layer lists, but that entries lie in: `row` numbers them.
  static constexpr std::uint32_t kImplied = 0xFFFFFFFEU;
  [[nodiscard]] bool exists() const noexcept { return layer != kNoLayer; }
  bool operator==(const RowRef&) const = default;
};

/// Told of what a layer hides.
class MergeObserver {
 public:
  virtual ~MergeObserver() = default;
  enum class Why {
    replaced,  ///< the layer has another entry of that name
    deleted,   ///< a whiteout, an opaque directory, or something else in a parent's place
  };
  /// The name `path`, whose content `content` (never a hard link) is, shows no longer; `layer`
  /// made it so.
  virtual void hidden(PathId path, RowRef content, std::uint32_t layer, Why why) = 0;
  /// The name `path` was given content.
  virtual void shown(PathId path, RowRef content) = 0;
};

class MergedFiles {
 public:
  /// What lies below the first layer that add() is given.
  enum class Below {
    nothing,
    unknown,  ///< layers that are not known yet: certain() then says what is true all the same
  };
  /// `pool` outlives the object.
  explicit MergedFiles(FilePool& pool, Below below = Below::nothing);

  /// Puts `layer`, whose number is `number`, above those added before. It outlives the object.
  /// Error{invalid_content}: what apply_layer() refuses, as an entry below a file.
  void add(const LayerFiles& layer, std::uint32_t number, MergeObserver* observer = nullptr);

  /// What shows at `path`; for a hard link that of its target. Its `path` may be another name.
  [[nodiscard]] const FileRow* at(PathId path) const noexcept;
  [[nodiscard]] RowRef ref_at(PathId path) const noexcept {
    return path < shown_.size() ? shown_[path] : RowRef{};
  }
  [[nodiscard]] const FileRow& row(RowRef ref) const noexcept;
  /// The layer whose entry gave the name what shows there; nullopt for directories that none lists.
  [[nodiscard]] std::optional<std::uint32_t> owner(PathId path) const noexcept;
  /// What shows in a directory, sorted by name.
  [[nodiscard]] std::vector<PathId> children(PathId directory) const;
  /// Calls `visit(path)` for `top` and all that shows below it, each directory before its content,
  /// names sorted; until it returns false.
  template <typename Visit>
  void walk(PathId top, const Visit& visit) const {
    std::vector<PathId> stack = {top};
    while (!stack.empty()) {
      const PathId path = stack.back();
      stack.pop_back();
      if (!visit(path)) return;
      if (at(path)->kind != FileKind::directory) continue;
      const std::vector<PathId> below = children(path);
      stack.insert(stack.end(), below.rbegin(), below.rend());
    }
  }

  enum class Last { follow, keep };  ///< what to do with a link at the end of the path
  struct Found {
    PathId path = kNoPath;  ///< kNoPath: there is none
    bool certain = true;    ///< false: layers that are not known yet may say otherwise
  };
  /// Resolves `path` as a process with this root would: ".." and absolute links clamped to it.
  /// Error{invalid_content}: more than 40 links.
  [[nodiscard]] Found find(std::string_view path, Last last) const;

  /// True if layers that are not known yet can neither show a file at `path`, where none shows, nor
  /// move what shows elsewhere.
  [[nodiscard]] bool is_gone(std::string_view path) const;
  /// Paths that the layers hide without showing anything there: with Below::unknown, what they take
  /// away from the layers below.
  [[nodiscard]] std::vector<PathId> taken_away() const;
  /// False if an entry lies in a directory that a layer below may have made a link.
  [[nodiscard]] bool is_certain() const noexcept { return !uncertain_; }

  [[nodiscard]] FilePool& pool() const noexcept { return pool_; }

 private:
  enum Flag : std::uint8_t { kGone = 1, kOpaque = 2 };  // of what is not known below
  struct Walked {
    PathId path = kNoPath;
    bool certain = true;
  };
  void grow();
  void set_shown(PathId path, RowRef ref);
  void hide(PathId path, MergeObserver::Why why);
  bool hide_below(PathId path, bool keep_own);
  void hide_tree(PathId path, bool keep_own);
  PathId parent_of(PathId literal);
  PathId make_directories(PathId literal);
  void imply(PathId path);
  void add_row(const FileRow& row, std::uint32_t index);
  void add_link(const FileRow& row, std::uint32_t index, PathId place);
  void add_whiteout(const FileRow& row);
  [[nodiscard]] Walked resolve(std::string_view path, Last last) const;
  [[nodiscard]] bool is_gone(PathId parent, PathId child) const noexcept;
  [[nodiscard]] bool partial() const noexcept { return below_ == Below::unknown; }
  void mark(PathId path, Flag flag) {
    if (partial()) flags_[path] = static_cast<std::uint8_t>(flags_[path] | flag);
  }

  FilePool& pool_;
  Below below_;
  bool uncertain_ = false;
  std::vector<const LayerFiles*> layers_;  // by number
  std::vector<FileRow> implied_;
  std::vector<RowRef> shown_;         // by path
  std::vector<std::uint32_t> owner_;  // by path: the layer that shows it
  std::vector<std::uint8_t> flags_;   // by path, if partial
  std::uint32_t now_ = 0;             // the layer being added
  MergeObserver* observer_ = nullptr;
  PathId last_literal_ = kNoPath;  // of parent_of()
  PathId last_parent_ = kNoPath;
};

}  // namespace lade::files
