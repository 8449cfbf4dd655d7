#include "libimage/layer/entry_maker.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

void write_fully(int fd, ByteView data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      throw_errno("write");
    }
    data = data.subspan(static_cast<std::size_t>(put));
  }
}

mode_t type_bits(FileType type) noexcept {
  switch (type) {
    case FileType::fifo:
      return S_IFIFO;
    case FileType::character:
      return S_IFCHR;
    case FileType::block:
      return S_IFBLK;
    default:
      return S_IFREG;
  }
}

/// An empty new file; -1 and errno if there is none to be had.
int create_file(const DirFd& dir, const std::string& name) noexcept {
  return ::openat(dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);
}

}  // namespace

EntryMaker::EntryMaker(TreeCursor& tree, const ApplyOptions& options)
    : tree_(tree), rights_(options.rights), buffer_(kChunkBytes) {}

/// Calls `attempt` (0 or -1 and errno) until the name is free for it.
template <typename Try>
void EntryMaker::replacing(TreeDirectory& dir, const std::string& name, const Try& attempt) {
  for (int tries = 0; attempt() < 0; ++tries) {
    if (errno != EEXIST || tries == kReplaceAttempts) throw_errno("create");
    remove(dir, name);
  }
}

void EntryMaker::make(TreeDirectory& dir, const std::string& name, const Attributes& attributes,
                      TarReader& content) {
  switch (attributes.type) {
    case FileType::regular:
      return make_file(dir, name, attributes, content);
    case FileType::directory:
      return make_directory(dir, name, attributes);
    case FileType::symlink:
      return make_link(dir, name, attributes);
    case FileType::fifo:
    case FileType::character:
    case FileType::block:
      return make_node(dir, name, attributes);
  }
}

void EntryMaker::write_content(int fd, TarReader& content) {
  bool hole_last = false;
  for (;;) {
    if (const std::uint64_t hole = content.skip_hole(); hole != 0) {
      if (::lseek(fd, static_cast<off_t>(hole), SEEK_CUR) < 0) throw_errno("seek");
      hole_last = true;
    }
    const std::size_t got = content.read(buffer_);
    if (got == 0) break;
    write_fully(fd, std::span(buffer_).first(got));
    hole_last = false;
  }
  if (hole_last && ::ftruncate(fd, ::lseek(fd, 0, SEEK_CUR)) != 0) throw_errno("set size");
}

void EntryMaker::make_file(TreeDirectory& dir, const std::string& name,
                           const Attributes& attributes, TarReader& content) {
  UniqueFd file;
  replacing(dir, name, [&] {
    file.reset(create_file(dir.fd, name));
    return file.get();
  });
  if (attributes.size != 0) write_content(file.get(), content);
  set_file_attributes(file.get(), attributes, rights_);
}

void EntryMaker::set_directory(const DirFd& dir, const Attributes& attributes) {
  set_node_attributes(dir.get(), attributes, rights_, OldXattrs::replace);
}

void EntryMaker::make_directory(TreeDirectory& dir, const std::string& name,
                                const Attributes& attributes) {
  Attributes wanted = attributes;
  if (rights_ == Rights::own && (wanted.mode & 0700U) != 0700U) {
    narrow_.push_back({dir.path.empty() ? name : cat(dir.path, "/", name), wanted.mode});
    wanted.mode |= 0700U;
  }
  for (int tries = 0;; ++tries) {
    const bool made = ::mkdirat(dir.fd.get(), name.c_str(), 0700) == 0;
    if (!made && (errno != EEXIST || tries == kReplaceAttempts)) throw_errno("create");
    if (const DirFd own = TreeCursor::open_subdirectory(dir.fd, name)) {
      set_node_attributes(own.get(), wanted, rights_, made ? OldXattrs::none : OldXattrs::replace);
      return;
    }
    if (errno == EXDEV) throw_errno("open directory");
    const std::optional<struct stat> old = stat_entry(dir.fd, name);
    if (!old || S_ISDIR(old->st_mode)) continue;
    remove(dir, name);
    if (!is_whiteout_device(*old)) continue;
    // The lower layers' directory of that name is gone: this one starts empty.
    if (::mkdirat(dir.fd.get(), name.c_str(), 0700) != 0) continue;
    const DirFd own = TreeCursor::open_subdirectory(dir.fd, name);
    if (!own) continue;
    tree_.make_opaque(own, dir.key.child(name));
    set_node_attributes(own.get(), wanted, rights_, OldXattrs::none);
    return;
  }
}

void EntryMaker::make_link(TreeDirectory& dir, const std::string& name,
                           const Attributes& attributes) {
  replacing(dir, name, [&] {
    return ::symlinkat(attributes.link_target.c_str(), dir.fd.get(), name.c_str());
  });
  set_link_attributes(dir.fd, name, attributes, rights_);
}

void EntryMaker::make_node(TreeDirectory& dir, const std::string& name,
                           const Attributes& attributes) {
  const bool device = attributes.type != FileType::fifo;
  const auto make_empty = [&] {  // the name is there, and opening it does no harm
    UniqueFd file;
    replacing(dir, name, [&] {
      file.reset(create_file(dir.fd, name));
      return file.get();
    });
    set_file_attributes(file.get(), attributes, rights_);
  };
  if (device && rights_ == Rights::own) return make_empty();
  const dev_t number =
      device ? ::makedev(attributes.device_major, attributes.device_minor) : dev_t{0};
  const mode_t type = type_bits(attributes.type);
  try {
    replacing(dir, name,
              [&] { return ::mknodat(dir.fd.get(), name.c_str(), type | 0600U, number); });
  } catch (const Error& e) {  // root of a user namespace may make none
    const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
    const bool denied = detail != nullptr && detail->value == EPERM;
    if (!device || !denied || rights_ != Rights::kept) throw;
    return make_empty();
  }
  // O_PATH does not open the device; what was put there meanwhile is left alone.
  const UniqueFd node = open_entry(dir.fd, name, O_PATH);
  struct stat st {};
  if (::fstat(node.get(), &st) != 0) throw_errno("stat");
  if ((st.st_mode & S_IFMT) != type) {
    throw Error(Errc::io, "create: another process replaced the file");
  }
  set_node_attributes(node.get(), attributes, rights_, OldXattrs::none);
}

void EntryMaker::link(TreeDirectory& dir, const std::string& name, const DirFd& target,
                      const std::string& target_name) {
  const std::optional<struct stat> to = stat_entry(target, target_name);
  if (!to || (is_whiteout_device(*to))) {
    throw Error(Errc::invalid_content,
                cat("hard link to ", quoted(target_name), ", which does not exist"));
  }
  if (S_ISDIR(to->st_mode)) {
    throw Error(Errc::invalid_content, cat("hard link to directory ", quoted(target_name)));
  }
  for (int tries = 0;; ++tries) {
    // Without AT_SYMLINK_FOLLOW: a link to a symbolic link is a link to the link itself.
    if (::linkat(target.get(), target_name.c_str(), dir.fd.get(), name.c_str(), 0) == 0) return;
    if (errno != EEXIST || tries == kReplaceAttempts) throw_errno("create hard link");
    const std::optional<struct stat> old = stat_entry(dir.fd, name);
    if (old && old->st_dev == to->st_dev && old->st_ino == to->st_ino) return;
    remove(dir, name);
  }
}

void EntryMaker::copy_up(TreeDirectory& dir, const std::string& name,
                         const LowerDirectory::Found& lower) {
  const Attributes& attributes = lower.file.entry.attributes;
  if (attributes.type != FileType::regular) {
    StringSource nothing("");
    TarReader no_content(nothing);
    make(dir, name, attributes, no_content);
    return;
  }
  FdSource source(open_entry(*lower.parent, name, O_RDONLY | O_NONBLOCK), quoted(name));
  UniqueFd file(create_file(dir.fd, name));
  if (!file) throw_errno("create");
  FdSink sink(file.get(), quoted(name));
  pump(source, sink);
  set_file_attributes(file.get(), attributes, rights_);
}

void EntryMaker::remove(const TreeDirectory& dir, const std::string& name) {
  tree_.forget();
  remove_tree(dir.fd, name);
}

void EntryMaker::finish() {
  for (auto it = narrow_.rbegin(); it != narrow_.rend(); ++it) {
    const std::optional<TreeDirectory> found = tree_.find(it->path);
    if (found && found->path == it->path) {  // else it was replaced later
      (void)::chmod(proc_path(found->fd.get()).c_str(), it->mode);
    }
  }
  narrow_.clear();
}

}  // namespace lade
