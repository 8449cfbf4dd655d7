/// Lookups compared with the kernel's own overlayfs on trees made at random.
#include <array>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/container/memory_tree.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/snapshot.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/step_runner.h"

#include "tests/container/fixture.h"

namespace lade {
namespace {

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  /// A layer of up to 12 entries, consistent in itself.
  std::vector<LayerEntry> layer() {
    std::map<std::string, LayerEntry> files;
    std::set<std::string> opaque;
    std::set<std::string> emptied;  // opaque marks without an entry of their directory
    const std::size_t wanted = 2 + pick(11);
    for (std::size_t i = 0; i < wanted; ++i) {
      const std::string path = some_path();
      if (files.contains(path) || blocked(files, path)) continue;
      switch (pick(9)) {
        case 0:
        case 1:
          files.emplace(path, file_entry(path, std::string(pick(20), 'x'), mode()));
          break;
        case 2:
        case 3:
          files.emplace(path, dir_entry(path, 0700 | mode()));
          break;
        case 4:
          files.emplace(path, link_entry(path, some_target()));
          break;
        case 5:
          if (pick(3) == 0) {
            emptied.insert(path);
          } else {
            files.emplace(path, dir_entry(path));
            opaque.insert(path);
          }
          break;
        default:
          if (!has_below(files, path)) removed_.insert(path);
          break;
      }
    }
    std::vector<LayerEntry> entries;
    std::vector<LayerEntry> marks;  // anywhere in the layer
    for (const std::string& path : removed_) {
      if (files.contains(path) || blocked(files, path)) continue;
      marks.push_back(whiteout_entry(path));
    }
    for (const std::string& path : emptied) {
      if (files.contains(path) || blocked(files, path)) continue;
      marks.push_back(opaque_entry(path));
    }
    removed_.clear();
    std::string first_file;
    for (auto& [path, entry] : files) {
      const bool plain = entry.attributes.type == FileType::regular;
      entries.push_back(std::move(entry));
      if (opaque.contains(path)) entries.push_back(opaque_entry(path));
      if (plain && first_file.empty()) first_file = path;
    }
    const std::string link = some_path();
    if (!first_file.empty() && !files.contains(link) && !blocked(files, link) &&
        !hidden_in(marks, link) && pick(2) == 0) {
      entries.push_back(hardlink_entry(link, first_file));
    }
    for (LayerEntry& mark : marks) {
      const auto at = static_cast<std::ptrdiff_t>(pick(entries.size() + 1));
      entries.insert(entries.begin() + at, std::move(mark));
    }
    return entries;
  }

  std::string some_path() {
    std::string path = name();
    for (std::size_t depth = pick(4); depth > 0; --depth) path += "/" + name();
    return path;
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::string name() { return std::string(1, static_cast<char>('a' + pick(4))); }
  std::uint32_t mode() { return static_cast<std::uint32_t>(pick(8) * 8 + pick(8)) | 0600U; }
  std::string some_target() {
    switch (pick(4)) {
      case 0:
        return "/" + some_path();
      case 1:
        return "../" + some_path();
      case 2:
        return "..";
      default:
        return some_path();
    }
  }
  /// True if the layer removes `path` or a directory above it.
  static bool hidden_in(const std::vector<LayerEntry>& entries, const std::string& path) {
    return std::any_of(entries.begin(), entries.end(), [&](const LayerEntry& entry) {
      return entry.kind == LayerEntry::Kind::whiteout &&
             (path == entry.path || path.starts_with(entry.path + "/"));
    });
  }
  static bool has_below(const std::map<std::string, LayerEntry>& files, const std::string& path) {
    const auto next = files.upper_bound(path + "/");
    return next != files.end() && next->first.starts_with(path + "/");
  }
  /// True if an entry on the way to `path` is no directory, or `path` would put something below it.
  static bool blocked(const std::map<std::string, LayerEntry>& files, const std::string& path) {
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      const auto above = files.find(path.substr(0, end));
      if (above != files.end() && above->second.attributes.type != FileType::directory) return true;
    }
    return has_below(files, path);
  }

  std::mt19937 random_;
  std::set<std::string> removed_;
};

/// A layer's entries for people, one a line.
std::string describe(const std::vector<LayerEntry>& entries) {
  constexpr std::array<std::string_view, 4> kKinds = {"file", "hardlink", "whiteout", "opaque"};
  std::string text = "layer:\n";
  for (const LayerEntry& entry : entries) {
    text += cat("  ", kKinds.at(static_cast<std::size_t>(entry.kind)), " ", entry.path);
    if (entry.kind == LayerEntry::Kind::file) {
      text +=
          cat(" type ", static_cast<int>(entry.attributes.type), " mode ", entry.attributes.mode);
    }
    const std::string& target =
        entry.link_to.empty() ? entry.attributes.link_target : entry.link_to;
    text += target.empty() ? "\n" : cat(" -> ", target, "\n");
  }
  return text;
}

class MergedTruthTest : public ContainerTest {
 protected:
  /// The kernel's view of the stack that `root` has, mounted without a mount point.
  DirFd mounted(const RootFs& root, const TempDir& room) {
    sandbox::OverlayRoot overlay{
        .lower = {}, .upper = room.path() + "/u", .work = room.path() + "/w"};
    (void)create_dir(overlay.upper);
    (void)create_dir(overlay.work);
    std::optional<ChainId> chain;
    for (const RootFsLayer& layer : root.layers()) {
      chain = chain_id(chain, layer.diff_id);
      const auto tree = store_.unpacked(*chain);  // list("") made it, in the form asked for
      if (!tree) throw std::runtime_error("layer " + chain->value.str() + " is not unpacked");
      overlay.lower.insert(overlay.lower.begin(), tree->fs_path);
    }
    return sandbox::mount_overlay(overlay, sandbox::OverlayCall::layer_by_layer).tree;
  }

  static bool is_directory(RootFs& root, const std::string& path) {
    try {
      const auto there = root.lookup(path);
      return there && there->type == FileType::directory;
    } catch (const Error&) {  // a link that never ends
      return false;
    }
  }

  /// Names as the kernel lists them, also those that it then says are not there.
  static std::size_t names_listed(const DirFd& root, const Snapshot& tree) {
    std::size_t names = 0;
    for (const auto& [path, entry] : tree) {
      if (entry.attributes.type != FileType::directory) continue;
      names += sorted_names(DirFd(open_in_root(root, path, O_RDONLY | O_DIRECTORY))).size();
    }
    return names;
  }

  /// What push() asks of a list, and that no mark is reached through a link.
  static bool parents_are_directories(RootFs& below,
                                      const std::shared_ptr<const std::vector<LayerEntry>>& list) {
    std::vector<std::string> parents = MemoryTree(list).implicit_directories();
    for (const LayerEntry& entry : *list) {
      const bool opaque = entry.kind == LayerEntry::Kind::opaque;
      if (!opaque && entry.kind != LayerEntry::Kind::whiteout) continue;
      for (std::size_t end = entry.path.find('/'); end != std::string::npos;
           end = entry.path.find('/', end + 1)) {
        parents.push_back(entry.path.substr(0, end));
      }
      if (opaque) parents.push_back(entry.path);
    }
    return std::all_of(parents.begin(), parents.end(), [&](const std::string& path) {
      try {
        return is_directory(below, path) || !below.lookup(path);
      } catch (const Error&) {
        return false;
      }
    });
  }

  static std::map<std::string, Attributes> all_of(RootFs& root) {
    std::map<std::string, Attributes> found;
    for (auto& [path, attributes] : walk(root)) found.emplace(path, std::move(attributes));
    return found;
  }

  static void expect_equal(const std::map<std::string, Attributes>& found, const Snapshot& truth,
                           std::string_view what) {
    for (const auto& [path, entry] : truth) {
      if (path.empty()) continue;  // the mount's own upper directory
      const auto here = found.find(path);
      ASSERT_NE(here, found.end()) << what << ": " << path << " is missing";
      Attributes expected = entry.attributes;
      Attributes actual = here->second;
      if (expected.type == FileType::directory) expected.mtime = actual.mtime = {};
      EXPECT_EQ(actual, expected) << what << ": " << path << " mode " << actual.mode << " for "
                                  << expected.mode;
    }
    EXPECT_EQ(found.size(), truth.size()) << what << ": shows what is not there";
  }
};

TEST_F(MergedTruthTest, LookupsShowWhatTheKernelShows) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::string layers;
    Generator generator(seed);
    // Where overlayfs cannot be mounted, lookups would unpack whole trees and there were no truth.
    const sandbox::Abilities abilities = sandbox::probe(store_.temp_path());
    ASSERT_TRUE(abilities.overlay) << abilities.why_not;
    RootFs disk(store_);
    RootFs lists(store_);
    RootFs copies(store_, {.force_copies = true});
    for (int depth = 0; depth < 5; ++depth) {
      const std::vector<LayerEntry> entries = generator.layer();
      const RootFsLayer made = layer(entries);
      RootFs tried = disk;
      tried.push(made);
      try {
        (void)tried.list("");
      } catch (const Error&) {  // an entry below a file of a lower layer: no view has to agree
        continue;
      }
      const auto list = std::make_shared<const std::vector<LayerEntry>>(entries);
      lists.push(made, parents_are_directories(disk, list) ? list : nullptr);
      disk = tried;
      layers += describe(entries);
      copies.push(made);
    }
    SCOPED_TRACE(cat("seed ", seed, "\n", layers));
    const TempDir room(temp_.path());
    const DirFd truth = mounted(disk, room);
    const Snapshot expected = capture(truth);
    EXPECT_EQ(names_listed(truth, expected), expected.size() - 1);
    expect_equal(all_of(disk), expected, "unpacked layers");
    expect_equal(all_of(lists), expected, "entry lists");
    expect_equal(all_of(copies), expected, "whole tree");
    for (int i = 0; i < 40; ++i) {
      const std::string path = generator.some_path() + "/" + generator.some_path();
      const UniqueFd there = try_open_in_root(truth, path, O_PATH);
      for (RootFs* root : {&disk, &lists, &copies}) {
        std::optional<Attributes> here;
        try {
          here = root->lookup(root->resolve(path));
        } catch (const Error&) {  // a link that never ends
          EXPECT_FALSE(there) << path;
          continue;
        }
        ASSERT_EQ(here.has_value(), static_cast<bool>(there)) << path;
        if (!here) continue;
        struct stat st {};
        ASSERT_EQ(::fstat(there.get(), &st), 0);
        EXPECT_EQ(here->mode, st.st_mode & 07777U) << path;
        if (S_ISREG(st.st_mode)) {
          EXPECT_EQ(here->size, static_cast<std::uint64_t>(st.st_size)) << path;
        }
      }
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lade
