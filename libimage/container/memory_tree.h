/// A layer's tree seen through its list of entries, without unpacking it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/layer/entry.h"

namespace lade {

class MemoryTree {
 public:
  explicit MemoryTree(std::shared_ptr<const std::vector<LayerEntry>> entries);

  /// False if the list alone does not tell what the layer does: a hard link whose target is not in
  /// it.
  [[nodiscard]] bool usable() const noexcept { return usable_; }

  struct Found {
    enum class Kind {
      absent,
      whiteout,
      implicit_directory,  ///< has files below, no entry of its own: the lower layers' attributes
      hiding_directory,    ///< has only whiteouts below: is there if a lower layer has it
      entry,
    };
    Kind kind = Kind::absent;
    const LayerEntry* entry = nullptr;  ///< hard links: the entry that carries the content
    bool opaque = false;                ///< nothing of the lower layers shows through
  };
  /// `path` is clean and relative; "" is the root, which is an implicit directory at least.
  [[nodiscard]] Found find(std::string_view path) const;

  /// Names of what find() knows directly below `path`, whiteouts too.
  [[nodiscard]] std::vector<std::string> children(std::string_view path) const;

  /// Directories that have entries below and none of their own, without the root; parents first.
  [[nodiscard]] std::vector<std::string> implicit_directories() const;

 private:
  using Index = std::vector<std::uint32_t>;
  [[nodiscard]] const LayerEntry& at(std::uint32_t position) const { return (*entries_)[position]; }
  [[nodiscard]] Index::const_iterator first_at(std::string_view path) const;
  [[nodiscard]] Index::const_iterator end_of_subtree(std::string_view path) const;
  [[nodiscard]] const LayerEntry* carrier_of(const LayerEntry& entry) const;

  std::shared_ptr<const std::vector<LayerEntry>> entries_;
  Index order_;  ///< positions in tree order: a directory, all below it, then its siblings
  bool usable_ = true;
};

}  // namespace lade
