#include "libimage/files/write_tree.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/layer/tar_writer.h"

namespace lade::files {
namespace {

class TreeWriter {
 public:
  TreeWriter(ImageFiles& image, const MergedFiles& files, Sink& out)
      : image_(image), files_(files), tar_(out, options_) {}

  WrittenTree write(PathId top) {
    files_.walk(top, [&](PathId path) {
      add(path);
      return true;
    });
    write_content();
    tar_.finish();
    return written_;
  }

 private:
  struct Name {
    RowRef content;
    PathId path;
  };

  [[nodiscard]] LayerEntry entry_of(const FileRow& row, PathId path) const {
    return {.path = files_.pool().paths.path(path),
            .attributes = attributes_of(row, files_.pool())};
  }

  void add(PathId path) {
    const FileRow& row = *files_.at(path);
    const bool whiteout = row.kind == FileKind::character && row.size == 0;
    if (row.kind == FileKind::hardlink || whiteout) {
      ++written_.left_out;
    } else if (row.kind == FileKind::directory) {
      put(entry_of(row, path));
    } else {
      names_.push_back({files_.ref_at(path), path});
    }
  }

  void put(const LayerEntry& entry) {
    tar_.header(entry);
    ++written_.entries;
  }

  /// Names of one content are neighbours.
  void write_content() {
    std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) {
      return std::tie(a.content.layer, a.content.row, a.path) <
             std::tie(b.content.layer, b.content.row, b.path);
    });
    for (auto begin = names_.begin(); begin != names_.end();) {
      const std::uint32_t layer = begin->content.layer;
      const auto end = std::find_if(begin, names_.end(),
                                    [&](const Name& name) { return name.content.layer != layer; });
      write_layer(layer, begin, end);
      begin = end;
    }
  }

  using Names = std::vector<Name>::const_iterator;
  void write_layer(std::uint32_t layer, Names begin, Names end) {
    std::vector<std::uint32_t> wanted;
    for (Names name = begin; name != end; ++name) {
      if (files_.row(name->content).kind != FileKind::regular) continue;
      if (wanted.empty() || wanted.back() != name->content.row) wanted.push_back(name->content.row);
    }
    Names at = begin;
    const auto write_name = [&](Source* content) {
      const Names first = at++;
      const FileRow& row = files_.row(first->content);
      const LayerEntry entry = entry_of(row, first->path);
      put(entry);
      if (content != nullptr) copy(*content, row.size);
      for (; at != end && at->content == first->content; ++at) {
        put({.kind = LayerEntry::Kind::hardlink,
             .path = files_.pool().paths.path(at->path),
             .link_to = entry.path});
      }
    };
    const auto write_others = [&] {
      while (at != end && files_.row(at->content).kind != FileKind::regular) write_name(nullptr);
    };
    image_.read_files(layer, wanted, [&](std::uint32_t, Source& content) {
      write_others();
      write_name(&content);
    });
    write_others();
  }

  void copy(Source& content, std::uint64_t size) {
    buffer_.resize(kChunkBytes);
    std::uint64_t copied = 0;
    while (const std::size_t got = content.read(buffer_)) {
      copied += got;
      if (copied > size) break;
      tar_.content(ByteView(buffer_).first(got));
    }
    if (copied != size) throw Error(Errc::invalid_content, "a file has another size than listed");
    tar_.end_content(size);
  }

  ImageFiles& image_;
  const MergedFiles& files_;
  LayerOptions options_;
  tar::TarWriter tar_;
  std::vector<Name> names_;
  std::vector<std::byte> buffer_;
  WrittenTree written_;
};

}  // namespace

WrittenTree write_tree(ImageFiles& image, const MergedFiles& files, PathId top, Sink& out) {
  return TreeWriter(image, files, out).write(top);
}

}  // namespace lade::files
