#include "libimage/container/tree_copy.h"

#include <cerrno>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/container/part.h"
#include "libimage/io/path.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/set_attributes.h"

namespace lade {
namespace {

/// Copies bytes [start, end) by the kernel.
void copy_range(int from, int to, off_t start, off_t end) {
  off_t in = start;
  off_t out = start;
  while (in < end) {
    const ssize_t got =
        ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - in), 0);
    if (got > 0) continue;
    if (got == 0) throw Error(Errc::io, "file became shorter while it was copied");
    if (errno != EINTR) throw_errno("copy file content");
  }
}

void copy_content(int from, int to, off_t size) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  if (::ftruncate(to, size) != 0) throw_errno("set file size");
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;  // only a hole is left
    if (data < 0) throw_errno("find data in file");
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) throw_errno("find hole in file");
    copy_range(from, to, data, hole);
    at = hole;
  }
}

/// Walks `from` with an explicit stack; directories get their attributes when they are complete.
class TreeCopier {
 public:
  TreeCopier(const DirFd& from, const DirFd& to) : from_(from), to_(to) {}

  void run() {
    const FoundFile root = look_at_directory(from_, true);
    mount_ = root.mount;
    std::vector<std::pair<std::string, Attributes>> done = {{"", root.entry.attributes}};
    std::vector<std::string> left = {""};
    while (!left.empty()) {
      const std::string path = std::move(left.back());
      left.pop_back();
      const DirFd source(open_in_root(from_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      const DirFd target(open_in_root(to_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      for (const std::string& name : sorted_names(source)) {
        const auto file = find_file(source, name, true);
        if (!file || file->socket) continue;
        if (file->mount != mount_) {
          throw Error(Errc::denied, cat("copy ", quoted(name), ": is on another file system"));
        }
        const std::string below = join_path(path, name);
        if (file->entry.attributes.type == FileType::directory) {
          if (::mkdirat(target.get(), name.c_str(), 0700) != 0) {
            throw_errno(cat("create directory ", quoted(below)));
          }
          done.emplace_back(below, file->entry.attributes);
          left.push_back(below);
        } else {
          with_context([&] { return cat("copy ", quoted(below)); },
                       [&] { copy_file(source, target, name, below, file->entry); });
        }
      }
    }
    for (auto it = done.rbegin(); it != done.rend(); ++it) {
      const DirFd dir(open_in_root(to_, it->first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      set_node_attributes(dir.get(), it->second, rights_, OldXattrs::replace);
    }
  }

 private:
  void copy_file(const DirFd& source, const DirFd& target, const std::string& name,
                 const std::string& path, const SnapshotEntry& entry) {
    if (entry.inode.links > 1) {
      const auto [first, is_new] = links_.emplace(entry.inode.number, path);
      if (!is_new) {
        if (::linkat(to_.get(), first->second.c_str(), target.get(), name.c_str(), 0) != 0) {
          throw_errno("link");
        }
        return;
      }
    }
    const Attributes& attributes = entry.attributes;
    const dev_t device = ::makedev(attributes.device_major, attributes.device_minor);
    int made = -1;
    switch (attributes.type) {
      case FileType::regular: {
        const UniqueFd in = open_entry(source, name, O_RDONLY);
        const UniqueFd out = open_entry(target, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        copy_content(in.get(), out.get(), static_cast<off_t>(attributes.size));
        return set_file_attributes(out.get(), attributes, rights_);
      }
      case FileType::symlink:
        if (::symlinkat(attributes.link_target.c_str(), target.get(), name.c_str()) != 0) break;
        return set_link_attributes(target, name, attributes, rights_);
      case FileType::fifo:
        made = ::mknodat(target.get(), name.c_str(), S_IFIFO | 0600, 0);
        break;
      case FileType::character:
        made = ::mknodat(target.get(), name.c_str(), S_IFCHR | 0600, device);
        break;
      case FileType::block:
        made = ::mknodat(target.get(), name.c_str(), S_IFBLK | 0600, device);
        break;
      case FileType::directory:
        break;
    }
    if (made != 0) throw_errno("create");
    set_node_attributes(open_entry(target, name, O_PATH).get(), attributes, rights_,
                        OldXattrs::none);
  }

  const DirFd& from_;
  const DirFd& to_;
  const Rights rights_ = rights_in_store();
  std::uint64_t mount_ = 0;
  std::map<std::uint64_t, std::string> links_;  // inode number to the first name copied
};

}  // namespace

void copy_tree(const DirFd& from, const DirFd& to) {
  with_context([] { return "copy tree"; }, [&] { TreeCopier(from, to).run(); });
}

}  // namespace lade
