#include "libimage/packages/find_packages.h"

#include <algorithm>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"

namespace lade::packages {
namespace {

constexpr std::uint64_t kMaxStatusBytes = std::uint64_t{128} << 20U;
constexpr std::uint64_t kMaxLockBytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t kMaxMetadataBytes = std::uint64_t{4} << 20U;
constexpr std::uint64_t kSmallestGoProgram = 4096;
constexpr std::size_t kMaxRemarks = 100;

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : cat(directory, "/", name);
}

class Search {
 public:
  Search(Tree& tree, const FindLimits& limits, const std::stop_token& stop)
      : tree_(tree), limits_(limits), stop_(stop) {}

  Inventory run() {
    for (const char* path : {"etc/os-release", "usr/lib/os-release"}) {
      read(path, kMaxMetadataBytes,
           [&](const std::string& text) { out_.distribution = parse_os_release(text); });
      if (!out_.distribution.id.empty()) break;
    }
    find_system_packages();
    walk("", 0);
    std::vector<Package>& packages = out_.packages;
    for (auto& [url, package] : by_url_) packages.push_back(std::move(package));
    std::sort(out_.remarks.begin(), out_.remarks.end());
    return std::move(out_);
  }

 private:
  void remark(std::string text) {
    if (out_.remarks.size() < kMaxRemarks) out_.remarks.push_back(std::move(text));
  }

  /// What `body` cannot read is a remark.
  template <typename Body>
  void noting(const std::string& path, const Body& body) {
    try {
      body();
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;  // the machine's fault, not the file's
      remark(cat("/", printable(path), ": ", e.what()));
    }
  }

  template <typename Take>
  void read(const std::string& path, std::uint64_t limit, const Take& take) {
    noting(path, [&] {
      if (const auto text = tree_.read(path, limit)) take(*text);
    });
  }

  void add(Package package, const std::string& path) {
    package.found_in = cat("/", path);
    by_url_.try_emplace(package.url(), std::move(package));
  }

  void add_system(std::vector<Package> packages, const std::string& path) {
    for (Package& package : packages) {
      package.space = out_.distribution.id;
      package.distribution = out_.distribution.label();
      add(std::move(package), path);
    }
  }

  void find_system_packages() {
    const auto dpkg = [&](const std::string& path) {
      read(path, kMaxStatusBytes,
           [&](const std::string& text) { add_system(parse_dpkg_status(text), path); });
    };
    dpkg("var/lib/dpkg/status");
    if (const auto entries = tree_.list("var/lib/dpkg/status.d")) {  // images without dpkg
      for (const TreeEntry& entry : *entries) {
        if (entry.kind == TreeEntry::Kind::file && !entry.name.ends_with(".md5sums"))
          dpkg(joined("var/lib/dpkg/status.d", entry.name));
      }
    }
    for (const std::string path : {"lib/apk/db/installed", "usr/lib/apk/db/installed"}) {
      read(path, kMaxStatusBytes,
           [&](const std::string& text) { add_system(parse_apk_installed(text), path); });
    }
    for (const std::string directory : {"usr/lib/sysimage/rpm", "var/lib/rpm"}) find_rpm(directory);
  }

  void find_rpm(const std::string& directory) {
    const std::string path = joined(directory, "rpmdb.sqlite");
    noting(path, [&] {
      if (const auto file = tree_.open(path)) add_system(read_rpm_database(*file), path);
      const auto log = tree_.open(cat(path, "-wal"));
      if (log && log->size() > 0)
        remark(cat("/", path, "-wal: has changes that are not in the database yet; not read"));
    });
    for (const auto& [name, format] :
         {std::pair("Packages.db", "ndb"), {"Packages", "Berkeley DB"}}) {
      const std::string other = joined(directory, name);
      if (tree_.open(other))
        remark(cat("/", other, ": RPM database of the ", format,
                   " format is not read; its packages are missing here"));
    }
  }

  void walk(const std::string& directory, std::size_t depth) {
    if (stop_.stop_requested()) throw Cancelled();
    const auto entries = tree_.list(directory);
    if (!entries) return;
    entries_ += entries->size();
    if (entries_ > limits_.max_entries)
      throw Error(Errc::limit_exceeded,
                  cat("the tree has more than ", limits_.max_entries, " entries"));
    for (const TreeEntry& entry : *entries) {
      const std::string path = joined(directory, entry.name);
      if (entry.kind == TreeEntry::Kind::directory) {
        const bool kernels = path == "proc" || path == "sys" || path == "dev";
        if (depth == limits_.max_depth) {
          remark(cat("/", printable(path), ": too deep, not looked at"));
        } else if (!kernels) {
          walk(path, depth + 1);
        }
      } else if (entry.kind == TreeEntry::Kind::file) {
        look_at(directory, entry, path);
      }
    }
  }

  void look_at(const std::string& directory, const TreeEntry& entry, const std::string& path) {
    const auto one = [&](std::optional<Package> (*parse)(std::string_view)) {
      read(path, kMaxMetadataBytes, [&](const std::string& text) {
        if (auto package = parse(text)) add(*std::move(package), path);
      });
    };
    const std::string& name = entry.name;
    if (name == "package.json" && is_installed_module(directory)) {
      one(parse_package_json);
    } else if ((name == "package-lock.json" || name == "npm-shrinkwrap.json") &&
               cat("/", directory, "/").find("/node_modules/") == std::string::npos) {
      read(path, kMaxLockBytes, [&](const std::string& text) {
        for (Package& package : parse_package_lock(text)) add(std::move(package), path);
      });
    } else if ((name == "METADATA" && directory.ends_with(".dist-info")) ||
               (name == "PKG-INFO" && directory.ends_with(".egg-info")) ||
               name.ends_with(".egg-info")) {
      one(parse_python_metadata);
    } else if (entry.executable && entry.size >= kSmallestGoProgram) {
      noting(path, [&] {
        const auto file = tree_.open(path);
        if (!file) return;
        for (Package& package : read_go_binary(*file)) add(std::move(package), path);
      });
    }
  }

  /// ".../node_modules/name" or ".../node_modules/@scope/name".
  static bool is_installed_module(std::string_view directory) {
    const auto parent = [](std::string_view path) {
      const std::size_t slash = path.rfind('/');
      return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    };
    const auto last = [](std::string_view path) { return path.substr(path.rfind('/') + 1); };
    std::string_view above = parent(directory);
    if (last(above).starts_with('@')) above = parent(above);
    return last(above) == "node_modules";
  }

  Tree& tree_;
  const FindLimits& limits_;
  const std::stop_token& stop_;
  Inventory out_;
  std::map<std::string, Package> by_url_;
  std::uint64_t entries_ = 0;
};

}  // namespace

Inventory find_packages(Tree& tree, const FindLimits& limits, const std::stop_token& stop) {
  return Search(tree, limits, stop).run();
}

}  // namespace lade::packages
