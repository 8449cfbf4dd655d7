// Guards the arrows of ARCHITECTURE.md: reads every #include of the tree and fails on an edge that
// the table lacks.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using Modules = std::set<std::string>;

/// Direct arrows. What a module may include is what these reach.
const std::map<std::string, Modules>& arrows() {
  static const std::map<std::string, Modules> kArrows = {
      {"base", {}},
      {"template", {"base"}},
      {"io", {"base"}},
      {"task", {"base"}},
      {"digest", {"io"}},
      {"compress", {"io"}},
      {"sandbox", {"base", "io"}},
      {"http", {"io", "task"}},
      {"oci", {"digest"}},
      {"runtime", {"sandbox", "oci"}},
      {"name", {"digest", "oci"}},
      {"store", {"oci", "name"}},
      {"config", {"io", "name"}},
      {"layer", {"store", "compress", "task"}},
      {"seekable", {"layer", "compress", "digest", "oci", "task"}},
      {"storage", {"store", "layer", "compress", "task"}},
      {"transports", {"store", "http", "compress", "config", "storage"}},
      {"image", {"layer", "template"}},
      {"validate", {"layer", "compress", "task"}},
      {"local", {"layer"}},
      {"copy", {"store", "compress", "seekable", "task"}},
      {"container", {"local", "image", "sandbox"}},
      {"packages", {"digest"}},
      {"buildcache", {"container", "copy"}},
      {"files", {"image", "packages", "seekable", "task"}},
      {"build", {"buildcache", "container", "copy", "image", "packages", "task"}},
  };
  return kArrows;
}

Modules reachable(const std::string& module) {
  Modules seen;
  std::vector<std::string> next = {module};
  while (!next.empty()) {
    const std::string here = next.back();
    next.pop_back();
    for (const std::string& to : arrows().at(here)) {
      if (seen.insert(to).second) next.push_back(to);
    }
  }
  return seen;
}

struct Include {
  fs::path file;
  std::string target;  ///< what stands between the quotes or brackets
  bool angled = false;
};

std::vector<Include> includes_below(const fs::path& directory) {
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("#include ")) continue;
      const char open = line[9];
      const std::size_t end = line.find(open == '<' ? '>' : '"', 10);
      found.push_back({entry.path(), line.substr(10, end - 10), open == '<'});
    }
  }
  return found;
}

const fs::path kSource = LADE_SOURCE_DIR;

TEST(Architecture, ModulesIncludeOnlyWhatTheirArrowsReach) {
  for (const auto& [module, direct] : arrows()) {
    const fs::path folder = kSource / "libimage" / module;
    ASSERT_TRUE(fs::is_directory(folder)) << module;
    const Modules allowed = reachable(module);
    for (const Include& include : includes_below(folder)) {
      if (include.angled) continue;
      ASSERT_TRUE(include.target.starts_with("libimage/"))
          << include.file << " includes " << include.target;
      const std::string rest = include.target.substr(9);
      const std::string used = rest.substr(0, rest.find('/'));
      EXPECT_TRUE(used == module || allowed.contains(used))
          << include.file << " includes " << include.target;
    }
  }
}

TEST(Architecture, EveryModuleIsInTheTable) {
  for (const auto& entry : fs::directory_iterator(kSource / "libimage")) {
    if (entry.is_directory()) {
      EXPECT_TRUE(arrows().contains(entry.path().filename())) << entry.path();
    }
  }
}

TEST(Architecture, ThirdPartyLibrariesStayInTheirModules) {
  const std::vector<std::pair<std::string, Modules>> owners = {
      {"openssl/", {"digest"}},
      {"curl/", {"http"}},
      {"archive", {"compress"}},
      {"nlohmann/",
       {"oci", "sandbox", "config", "transports", "http", "seekable", "template", "packages",
        "build"}},
      {"zstd", {"compress"}},
      {"libdeflate", {"compress"}},
      {"isa-l/", {"compress"}},
      {"seccomp.h", {"sandbox"}},
      {"re2/", {"name"}},
      {"yaml-cpp/", {"config"}},
      {"toml++/", {"config"}},
      {"boost/", {}},
  };
  for (const Include& include : includes_below(kSource / "libimage")) {
    if (!include.angled) continue;
    const std::string module =
        include.file.lexically_relative(kSource / "libimage").begin()->string();
    for (const auto& [prefix, modules] : owners) {
      if (include.target.starts_with(prefix)) {
        EXPECT_TRUE(modules.contains(module))
            << include.file << " includes <" << include.target << ">";
      }
    }
  }
}

TEST(Architecture, JsonLibraryIsInNoPublicHeader) {
  for (const Include& include : includes_below(kSource / "libimage")) {
    if (include.file.extension() == ".h" && include.target.starts_with("nlohmann/")) {
      // Internal headers of a module may; they are named json_*.h and no other module includes
      // them.
      EXPECT_TRUE(include.file.filename().string().starts_with("json_")) << include.file;
    }
  }
}

TEST(Architecture, ToolsIncludeOnlyTheLibraryBoostAndTheStandardLibrary) {
  for (const Include& include : includes_below(kSource / "tools")) {
    const std::string folder = include.file.lexically_relative(kSource / "tools").begin()->string();
    if (!include.angled) {
      EXPECT_TRUE(include.target.starts_with("libimage/") || include.target.starts_with("tools/"))
          << include.file << " includes " << include.target;
    } else if (include.target.find('.') != std::string::npos) {
      const bool boost = include.target.starts_with("boost/");
      EXPECT_TRUE(boost || folder == "common")
          << include.file << " includes <" << include.target << ">";
    }
  }
}

TEST(Architecture, TransportsAreLinkedByToolsAlone) {
  for (const std::string module : {"copy", "image", "container", "build", "local", "layer"}) {
    for (const Include& include : includes_below(kSource / "libimage" / module)) {
      EXPECT_FALSE(include.target.starts_with("libimage/transports/") ||
                   include.target.starts_with("libimage/http/"))
          << include.file << " includes " << include.target;
    }
  }
}

}  // namespace
