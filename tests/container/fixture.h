/// What the container module's tests share: a store, layers made of a few words, a small root.
#pragma once
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/container/root_fs.h"
#include "libimage/io/path.h"
#include "libimage/layer/entry.h"

namespace lade {

inline std::string temp_root() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr ? given : "/tmp";
}

/// Some time in the past, the same in every run.
inline constexpr Timestamp kThen{.seconds = 1'600'000'000, .nanoseconds = 123'000'000};

inline LayerEntry file_entry(std::string path, std::string text, std::uint32_t mode = 0644) {
  LayerEntry entry{.path = std::move(path)};
  entry.attributes.mode = mode;
  entry.attributes.size = text.size();
  entry.attributes.mtime = kThen;
  entry.content.text = std::make_shared<const std::string>(std::move(text));
  return entry;
}

inline LayerEntry dir_entry(std::string path, std::uint32_t mode = 0755) {
  LayerEntry entry{.path = std::move(path)};
  entry.attributes.type = FileType::directory;
  entry.attributes.mode = mode;
  entry.attributes.mtime = kThen;
  return entry;
}

inline LayerEntry link_entry(std::string path, std::string target) {
  LayerEntry entry{.path = std::move(path)};
  entry.attributes.type = FileType::symlink;
  entry.attributes.mode = 0777;
  entry.attributes.mtime = kThen;
  entry.attributes.link_target = std::move(target);
  return entry;
}

inline LayerEntry hardlink_entry(std::string path, std::string target) {
  return {
      .kind = LayerEntry::Kind::hardlink, .path = std::move(path), .link_to = std::move(target)};
}

inline LayerEntry whiteout_entry(std::string path) {
  return {.kind = LayerEntry::Kind::whiteout, .path = std::move(path)};
}

inline LayerEntry opaque_entry(std::string path) {
  return {.kind = LayerEntry::Kind::opaque, .path = std::move(path)};
}

class ContainerTest : public testing::Test {
 protected:
  /// Writes a layer and gives it back without pushing it anywhere.
  RootFsLayer layer(const std::vector<LayerEntry>& entries, const LayerOptions& options = {}) {
    const LayerResult result = write_layer(entries, store_.images(), options);
    return {result.blob, result.diff_id};
  }

  /// Pushes a layer that lookups have to unpack.
  void push(RootFs& root, const std::vector<LayerEntry>& entries) { root.push(layer(entries)); }

  /// A layer that is quickly made.
  static LayerOptions plain() { return {.codec = "identity"}; }

  /// A root in which `sh` and its tools work.
  static std::vector<LayerEntry> busybox_root() {
    LayerEntry busybox{.path = "bin/busybox"};
    const std::string bytes = read_file("/bin/busybox", std::uint64_t{16} << 20U);
    busybox = file_entry("bin/busybox", bytes, 0755);
    std::vector<LayerEntry> entries = {dir_entry(""), dir_entry("bin"), busybox};
    std::vector<std::string> tools = {"cat",   "chmod", "chown", "cp",    "ln",
                                      "ls",    "mkdir", "mv",    "rm",    "sh",
                                      "touch", "true",  "false", "rmdir", "mkfifo"};
    for (const std::string& tool : tools) entries.push_back(link_entry("bin/" + tool, "busybox"));
    for (const char* dir : {"dev", "etc", "proc", "sys"}) entries.push_back(dir_entry(dir));
    entries.push_back(file_entry("etc/passwd", "root:x:0:0::/:/bin/sh\n"));
    entries.push_back(file_entry("etc/resolv.conf", ""));
    for (const char* dir : {"home", "tmp"}) entries.push_back(dir_entry(dir));
    return entries;
  }

  TempDir temp_{temp_root()};
  LocalStore store_{temp_.path() + "/store"};
};

/// Every path of the tree, depth first, with its attributes.
inline std::vector<std::pair<std::string, Attributes>> walk(RootFs& root,
                                                            const std::string& from = "") {
  std::vector<std::pair<std::string, Attributes>> found;
  if (from.empty()) found.emplace_back("", root.lookup("").value());
  for (const std::string& name : root.list(from)) {
    const std::string path = from.empty() ? name : cat(from, "/", name);
    const auto attributes = root.lookup(path);
    if (!attributes) {
      ADD_FAILURE() << path << " is listed and not found";
      continue;
    }
    found.emplace_back(path, *attributes);
    if (attributes->type != FileType::directory) continue;
    for (auto& below : walk(root, path)) found.push_back(std::move(below));
  }
  return found;
}

}  // namespace lade
