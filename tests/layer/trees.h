/// Trees on disk for the tests of this folder: made by shell commands, described as text.
#pragma once
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/snapshot.h"
#include "libimage/layer/write_layer.h"

namespace lade::testing {

inline std::string temp_root() {
  const char* const dir = std::getenv("TMPDIR");
  return dir != nullptr ? dir : "/tmp";
}

/// Runs `script` by bash with `dir` as its working directory; fails the test if it fails.
inline void shell(const std::string& dir, const std::string& script) {
  const std::string command = "cd '" + dir + "' && set -e; umask 022; " + script;
  const std::string escaped = [&] {
    std::string out;
    for (const char c : command) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out;
  }();
  const int status = std::system(("bash -c '" + escaped + "'").c_str());
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << script;
}

inline std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_whole(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline char letter_of(FileType type) {
  switch (type) {
    case FileType::regular:
      return 'f';
    case FileType::directory:
      return 'd';
    case FileType::symlink:
      return 'l';
    case FileType::fifo:
      return 'p';
    case FileType::character:
      return 'c';
    case FileType::block:
      return 'b';
  }
  return '?';
}

/// One line a file with all that layers record, hard links as groups, content as a digest. Two
/// equal trees have equal descriptions wherever they are. The root's own mtime is left out.
inline std::string describe(const DirFd& root) {
  const Snapshot snapshot = capture(root);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
  std::string text;
  for (const auto& [path, file] : snapshot) {
    const Attributes& a = file.attributes;
    text += cat(lade::quoted(path), " ", letter_of(a.type), " ", a.mode, " ", a.uid, ":", a.gid);
    if (!path.empty()) text += cat(" ", to_rfc3339(a.mtime));
    if (a.type == FileType::symlink) text += cat(" -> ", lade::quoted(a.link_target));
    if (a.type == FileType::character || a.type == FileType::block) {
      text += cat(" ", a.device_major, ":", a.device_minor);
    }
    for (const auto& [name, value] : a.xattrs) text += cat(" ", name, "=", lade::quoted(value));
    if (a.type == FileType::regular) {
      FdSource source(open_in_root(root, path, O_RDONLY), path);
      HashingSource hashing(source);
      drain(hashing);
      text += cat(" ", a.size, " ", hashing.digest().brief());
    }
    if (a.type != FileType::directory && file.inode.links > 1) {
      const auto [at, fresh] =
          first_names.try_emplace({file.inode.device, file.inode.number}, path);
      if (!fresh) text += cat(" = ", lade::quoted(at->second));
    }
    text += "\n";
  }
  return text;
}

/// The names in a directory, each with a blank behind it.
inline std::string sorted_list(const std::string& dir) {
  std::string text;
  for (const auto& [path, file] : capture(open_dir(dir))) {
    if (!path.empty() && path.find('/') == std::string::npos) text += path + " ";
  }
  return text;
}

/// The whole tree as entries.
inline std::vector<LayerEntry> entries_of(const std::string& dir) {
  auto root = std::make_shared<const DirFd>(open_dir(dir));
  std::vector<LayerEntry> entries = diff({}, capture(*root), *root, root);
  return entries;
}

inline std::string tar_of(const std::vector<LayerEntry>& entries,
                          const LayerOptions& options = {}) {
  StringSink sink;
  write_tar(entries, sink, options);
  return sink.text();
}

inline ApplyResult apply_to(const std::string& dir, const std::string& tar,
                            const ApplyOptions& options = {}) {
  StringSource source(tar);
  return apply_layer(open_dir(dir), source, options);
}

/// A script that makes one of everything a layer can hold.
inline constexpr const char* kOneOfEach = R"(
mkdir -p etc usr/bin empty sticky
printf hello > etc/motd; printf '#!' > usr/bin/tool; chmod 4755 usr/bin/tool; chown 0:0 etc/motd
ln -s ../etc/motd usr/link; ln usr/bin/tool usr/bin/tool2; mkfifo fifo; mknod null c 1 3; mknod loop b 7 0
chmod 1777 sticky; chmod 0700 empty; chown 1000:1001 empty; printf x > owned; chown 65534:2097152 owned
setfattr -n user.note -v 'a b' etc/motd; setfattr -n user.empty etc/motd
printf cap > capable; setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= capable
head -c 3000000 /dev/urandom > big; : > zero; printf u > "n
l"; printf b > $'bad\xff\xfename'; printf u > 'ünïcode'
mkdir -p $(printf 'long%.0s' {1..30})/$(printf 'deep%.0s' {1..30}); printf l > $(printf 'long%.0s' {1..30})/$(printf 'deep%.0s' {1..30})/f
touch -d '2001-02-03 04:05:06.123456789 UTC' etc/motd; touch -d '1960-01-01 00:00:00.5 UTC' zero; touch -h -d '2011-11-11 UTC' usr/link
find . -type d -exec touch -d '2020-01-01 UTC' {} +
)";

}  // namespace lade::testing
