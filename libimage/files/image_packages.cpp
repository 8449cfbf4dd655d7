// Packages of an image: the files that say what is installed are read in one pass over each layer,
// then looked at as a tree.
#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/files/compare.h"
#include "libimage/packages/find_packages.h"

namespace lade::files {
namespace {

constexpr std::uint64_t kMaxDatabase = std::uint64_t{128} << 20U;
constexpr std::uint64_t kMaxTogether = std::uint64_t{512} << 20U;

/// Files that say what is installed, but for programs.
bool is_record(std::string_view path) {
  constexpr std::array<std::string_view, 9> kPaths = {"etc/os-release",
                                                      "usr/lib/os-release",
                                                      "var/lib/dpkg/status",
                                                      "lib/apk/db/installed",
                                                      "usr/lib/apk/db/installed",
                                                      "usr/lib/sysimage/rpm/rpmdb.sqlite",
                                                      "var/lib/rpm/rpmdb.sqlite",
                                                      "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
                                                      "var/lib/rpm/rpmdb.sqlite-wal"};
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const bool inside_dist = path.find(".dist-info/") != std::string_view::npos;
  const bool inside_egg = path.find(".egg-info/") != std::string_view::npos;
  return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end() ||
         path.starts_with("var/lib/dpkg/status.d/") || name == "package-lock.json" ||
         name == "npm-shrinkwrap.json" || name.ends_with(".egg-info") ||
         (name == "package.json" && path.find("node_modules/") != std::string_view::npos) ||
         (name == "METADATA" && inside_dist) || (name == "PKG-INFO" && inside_egg);
}

class RecordTree final : public packages::Tree {
 public:
  RecordTree(ImageFiles& image, const MergedFiles& files) : files_(files) {
    std::map<std::uint32_t, std::vector<std::uint32_t>> wanted;
    std::uint64_t together = 0;
    files.walk(kRoot, [&](PathId path) {
      const FileRow& row = *files.at(path);
      const RowRef ref = files.ref_at(path);
      if (row.kind != FileKind::regular || row.size > kMaxDatabase ||
          !is_record(files.pool().paths.path(path))) {
        return true;
      }
      together += row.size;
      if (together > kMaxTogether) {
        throw Error(Errc::limit_exceeded, "the databases of packages are larger than 512 MiB");
      }
      wanted[ref.layer].push_back(ref.row);
      return true;
    });
    for (auto& [layer, rows] : wanted) {
      std::sort(rows.begin(), rows.end());
      rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
      const std::uint32_t number = layer;
      image.read_files(layer, rows, [&](std::uint32_t row, Source& content) {
        texts_[{number, row}] = read_all(content, kMaxDatabase, "database");
      });
    }
  }

  std::optional<std::vector<packages::TreeEntry>> list(const std::string& path) override {
    const PathId found = files_.find(path, MergedFiles::Last::follow).path;
    if (found == kNoPath || files_.at(found)->kind != FileKind::directory) return std::nullopt;
    std::vector<packages::TreeEntry> out;
    for (const PathId child : files_.children(found)) {
      const FileRow& row = *files_.at(child);
      using Kind = packages::TreeEntry::Kind;
      out.push_back({.name = std::string(files_.pool().paths.name(child)),
                     .kind = row.kind == FileKind::regular     ? Kind::file
                             : row.kind == FileKind::directory ? Kind::directory
                                                               : Kind::other,
                     .size = row.size});
    }
    return out;
  }

  std::unique_ptr<packages::File> open(const std::string& path) override {
    const PathId found = files_.find(path, MergedFiles::Last::follow).path;
    if (found == kNoPath) return nullptr;
    const RowRef ref = files_.ref_at(found);
    if (files_.row(ref).kind != FileKind::regular) return nullptr;
    return std::make_unique<packages::TextFile>(texts_[{ref.layer, ref.row}]);
  }

 private:
  const MergedFiles& files_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> texts_;
};

}  // namespace

packages::Inventory packages_of(ImageFiles& image, const MergedFiles& files) {
  RecordTree tree(image, files);
  return packages::find_packages(tree);
}

}  // namespace lade::files
