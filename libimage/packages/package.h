/// What is installed in a root file system, as values.
#pragma once
#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lade::packages {

/// One installed package, by the words of its own database.
struct Package {
  std::string type = {};     ///< of a package URL: "deb", "apk", "rpm", "npm", "pypi", "golang"
  std::string space = {};    ///< the URL's namespace: "debian", "@scope", "github.com/owner"; ""
  std::string name = {};     ///< without the namespace
  std::string version = {};  ///< "" where the database has none
  std::string architecture = {};
  std::string distribution = {};  ///< "debian-12", for packages of a system
  std::string source = {};        ///< name of the source package, where it is another
  std::string license = {};       ///< as declared, any text
  std::string supplier = {};      ///< maintainer, vendor or author, as declared
  std::string homepage = {};
  std::string found_in = {};  ///< path of the database in the tree
  auto operator<=>(const Package&) const = default;

  /// The package URL (purl): "pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12".
  [[nodiscard]] std::string url() const;
};

/// The distribution that a root file system says it is (os-release(5)).
struct Distribution {
  std::string id = {};       ///< "debian"; "" if the tree does not say
  std::string version = {};  ///< "12"
  std::string name = {};     ///< "Debian GNU/Linux 12 (bookworm)"
  bool operator==(const Distribution&) const = default;
  /// "debian-12"; "" if unknown.
  [[nodiscard]] std::string label() const;
};

/// All that was found; packages sorted by URL, each once.
struct Inventory {
  Distribution distribution = {};
  std::vector<Package> packages = {};
  /// What could not be read, a sentence each, sorted: a damaged database, one of another format.
  std::vector<std::string> remarks = {};
};

}  // namespace lade::packages
