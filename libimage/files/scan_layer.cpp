#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/files/layer_files.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/whiteout.h"

namespace lade::files {
namespace {

/// Makes rows of a layer's entries, whoever lists them.
class RowMaker {
 public:
  RowMaker(FilePool& pool, LayerFiles& out) : pool_(pool), out_(out) {}

  /// The row that was added; nullptr if the entry is none of the file system's.
  FileRow* add(const std::string& spelled, LayerEntry::Kind kind, const Attributes& attributes,
               const std::string& link_to) {
    const std::string path = clean_path(spelled);
    if (is_aufs_metadata(path)) return nullptr;
    const std::size_t slash = path.rfind('/');
    const std::string_view name =
        std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1);
    const std::string_view parent =
        std::string_view(path).substr(0, slash == std::string::npos ? 0 : slash);
    check_parent(parent);
    if (name.starts_with(kWhiteoutPrefix)) {
      add_whiteout(parent, name, kind, attributes);
      return nullptr;
    }
    if (path.empty() &&
        (kind != LayerEntry::Kind::file || attributes.type != FileType::directory)) {
      throw Error(Errc::invalid_content, "the root directory cannot become something else");
    }
    if (attributes.type == FileType::character && attributes.device_major == 0 &&
        attributes.device_minor == 0 && kind == LayerEntry::Kind::file) {
      throw Error(Errc::invalid_content, "character device 0:0 would be an overlayfs whiteout");
    }
    FileRow row;
    if (kind == LayerEntry::Kind::hardlink) {
      row.kind = FileKind::hardlink;
      row.link = pool_.paths.add(clean_path(link_to));
    } else {
      row = row_of(attributes, pool_);
    }
    row.path = pool_.paths.add(path);
    if (row.kind == FileKind::regular) out_.content_bytes += row.size;
    out_.rows.push_back(row);
    return &out_.rows.back();
  }

 private:
  void check_parent(std::string_view parent) {
    if (parent == checked_) return;
    for (const std::string_view name : split(parent, '/')) {
      if (name.starts_with(kWhiteoutPrefix)) {
        throw Error(Errc::invalid_content, "an entry below a whiteout");
      }
    }
    checked_ = parent;
  }

  void add_whiteout(std::string_view parent, std::string_view name, LayerEntry::Kind kind,
                    const Attributes& attributes) {
    if (kind == LayerEntry::Kind::file &&
        (attributes.type != FileType::regular || attributes.size != 0)) {
      throw Error(Errc::invalid_content, "a whiteout that is not an empty file");
    }
    FileRow row;
    if (name == kOpaqueName) {
      row.kind = FileKind::opaque;
      row.path = pool_.paths.add(parent);
    } else {
      const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
      if (hidden.empty() || hidden == "." || hidden == ".." ||
          hidden.starts_with(kWhiteoutPrefix)) {
        throw Error(Errc::invalid_content, "a whiteout that names no file");
      }
      row.kind = FileKind::whiteout;
      row.path = pool_.paths.child(pool_.paths.add(parent), hidden);
    }
    out_.rows.push_back(row);
  }

  FilePool& pool_;
  LayerFiles& out_;
  std::string checked_;
};

}  // namespace

void scan_layer(Source& tar, FilePool& pool, LayerFiles& out) {
  TarReader reader(tar);
  RowMaker rows(pool, out);
  std::vector<std::byte> buffer(kChunkBytes);
  while (const std::optional<TarEntry> entry = reader.next()) {
    with_context([&] { return quoted(entry->path); },
                 [&] {
                   FileRow* const row =
                       rows.add(entry->path, entry->kind, entry->attributes, entry->link_to);
                   if (row == nullptr || row->kind != FileKind::regular) return;
                   row->place = reader.position();
                   if (row->size == 0) return;
                   Hasher hasher;
                   while (const std::size_t got = reader.read(buffer)) {
                     hasher.update(ByteView(buffer).first(got));
                   }
                   row->sparse = reader.position() - row->place != row->size;
                   const Digest digest = hasher.digest();
                   row->digest =
                       pool.add_digest(sha256_bytes(digest.algorithm(), digest.encoded()).value());
                 });
  }
  reader.drain_rest();
}

LayerFiles files_of_table(std::shared_ptr<const TableOfContents> table, FilePool& pool) {
  LayerFiles out{.from = LayerFiles::From::table};
  RowMaker rows(pool, out);
  constexpr std::array<std::string_view, 3> kOwn = {"stargz.index.json", ".prefetch.landmark",
                                                    ".no.prefetch.landmark"};
  const bool stargz = table->format == TableFormat::estargz || table->format == TableFormat::stargz;
  for (std::size_t i = 0; i < table->entries.size(); ++i) {
    const TableEntry& entry = table->entries[i];
    const std::string path = clean_path(entry.path);
    if (stargz && std::find(kOwn.begin(), kOwn.end(), path) != kOwn.end()) continue;
    with_context(
        [&] { return quoted(entry.path); },
        [&] {
          FileRow* const row = rows.add(entry.path, entry.kind, entry.attributes, entry.link_to);
          if (row == nullptr || row->kind != FileKind::regular) return;
          row->place = i;
          if (!entry.digest) return;
          if (const auto sha = sha256_bytes(entry.digest->algorithm(), entry.digest->encoded())) {
            row->digest = pool.add_digest(*sha);
          }
        });
  }
  out.table = std::move(table);
  return out;
}

}  // namespace lade::files
