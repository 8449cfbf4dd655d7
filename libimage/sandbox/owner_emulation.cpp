#include "libimage/sandbox/owner_emulation.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/kept_owner.h"
#include "libimage/io/path.h"

namespace lade::sandbox {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::array<unsigned, 4> kCalls = {SYS_chown, SYS_lchown, SYS_fchown, SYS_fchownat};
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::array<unsigned, 2> kCalls = {SYS_fchown, SYS_fchownat};
#else
constexpr std::uint32_t kArchitecture = 0;
constexpr std::array<unsigned, 2> kCalls = {SYS_fchown, SYS_fchownat};
#endif

constexpr std::uint32_t kSame = 0xffffffffU;  // chown(2): the id stays

sock_filter statement(unsigned code, std::uint32_t value) {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}

sock_filter jump_if(std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K), yes, no, value};
}

/// One call that waits for its answer.
class OwnerChange {
 public:
  OwnerChange(int listener, const seccomp_notif& asked) : listener_(listener), asked_(asked) {}

  /// 0 or an errno.
  [[nodiscard]] int perform() const {
    const UniqueFd file = open_file();
    if (!file) return errno;
    // The numbers of processes come again: is it still the one that asked?
    if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &asked_.id) != 0) return ESRCH;
    return change(file.get());
  }

 private:
  [[nodiscard]] std::uint64_t argument(std::size_t i) const { return asked_.data.args[i]; }
  [[nodiscard]] bool is(long call) const { return asked_.data.nr == call; }
  [[nodiscard]] std::string place(std::string_view what) const {
    return cat("/proc/", asked_.pid, "/", what);
  }

  [[nodiscard]] UniqueFd open_file() const {
    if (is(SYS_fchown)) return open_descriptor(static_cast<int>(argument(0)));
    if (is(SYS_fchownat)) {
      const auto flags = static_cast<int>(argument(4));
      if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return failed(EINVAL);
      return open_named(static_cast<int>(argument(0)), argument(1), flags);
    }
#if defined(__x86_64__)
    return open_named(AT_FDCWD, argument(0), is(SYS_lchown) ? AT_SYMLINK_NOFOLLOW : 0);
#else
    return failed(ENOSYS);
#endif
  }

  static UniqueFd failed(int error) {
    errno = error;
    return {};
  }

  [[nodiscard]] UniqueFd open_descriptor(int number) const {
    UniqueFd file(::open(place(cat("fd/", number)).c_str(), O_PATH | O_CLOEXEC));
    if (!file && errno == ENOENT) errno = EBADF;
    return file;
  }

  [[nodiscard]] UniqueFd open_named(int directory, std::uint64_t address, int flags) const {
    std::string name;
    if (const int error = read_name(address, name); error != 0) return failed(error);
    if (name.empty()) {
      if ((flags & AT_EMPTY_PATH) == 0) return failed(ENOENT);
      if (directory != AT_FDCWD) return open_descriptor(directory);
      name = ".";
    }
    const int how = O_PATH | O_CLOEXEC | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0);
    if (name.front() == '/') {
      try {
        return open_in_root(open_dir(place("root")), name, how);
      } catch (const Error& e) {
        const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
        return failed(detail != nullptr ? detail->value : EIO);
      }
    }
    const std::string from = directory == AT_FDCWD ? place("cwd") : place(cat("fd/", directory));
    const UniqueFd base(::open(from.c_str(), O_PATH | O_CLOEXEC));
    if (!base) return failed(errno == ENOENT ? EBADF : errno);
    // Links of /proc would lead to what this process has open.
    open_how resolved{};
    resolved.flags = static_cast<std::uint64_t>(how);
    resolved.resolve = RESOLVE_NO_MAGICLINKS;
    return UniqueFd(static_cast<int>(
        ::syscall(SYS_openat2, base.get(), name.c_str(), &resolved, sizeof resolved)));
  }

  /// 0 or an errno.
  [[nodiscard]] int read_name(std::uint64_t address, std::string& out) const {
    const UniqueFd memory(::open(place("mem").c_str(), O_RDONLY | O_CLOEXEC));
    if (!memory) return errno;
    std::array<char, PATH_MAX> buffer{};
    std::size_t size = 0;
    // To the end of a page at a time: the next one may not be there.
    while (size < buffer.size()) {
      constexpr std::uint64_t kPage = 4096;
      const std::uint64_t at = address + size;
      const std::size_t left = static_cast<std::size_t>(kPage - at % kPage);
      const ssize_t got = ::pread(memory.get(), &buffer.at(size),
                                  std::min(left, buffer.size() - size), static_cast<off_t>(at));
      if (got <= 0) return EFAULT;
      const std::string_view text(&buffer.at(size), static_cast<std::size_t>(got));
      const std::size_t end = text.find('\0');
      out.append(text.substr(0, end));
      if (end != std::string_view::npos) return 0;
      size += static_cast<std::size_t>(got);
    }
    return ENAMETOOLONG;
  }

  [[nodiscard]] KeptOwner wanted(const std::string& path) const {
    std::array<char, 64> value{};
    const ssize_t size = ::getxattr(path.c_str(), kOwnerXattr, value.data(), value.size());
    KeptOwner owner;
    if (size > 0) {
      const std::string_view text(value.data(), static_cast<std::size_t>(size));
      owner = parse_kept_owner(text).value_or(KeptOwner{});
    }
    const std::size_t first = is(SYS_fchownat) ? 2 : 1;
    const auto uid = static_cast<std::uint32_t>(argument(first));
    const auto gid = static_cast<std::uint32_t>(argument(first + 1));
    if (uid != kSame) owner.uid = uid;
    if (gid != kSame) owner.gid = gid;
    return owner;
  }

  [[nodiscard]] int change(int file) const {
    struct stat found {};
    if (::fstat(file, &found) != 0) return errno;
    if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) return 0;
    const std::string path = proc_path(file);
    const KeptOwner owner = wanted(path);
    if (owner == KeptOwner{}) {
      if (::removexattr(path.c_str(), kOwnerXattr) != 0 && errno != ENODATA && errno != ENOTSUP)
        return errno;
    } else {
      const std::string text = kept_owner_text(owner);
      if (::setxattr(path.c_str(), kOwnerXattr, text.data(), text.size(), 0) != 0)
        return errno == ENOTSUP ? EPERM : errno;
    }
    // As the kernel does: a program that runs as its owner does not become another's.
    const mode_t special = S_ISUID | ((found.st_mode & S_IXGRP) != 0 ? S_ISGID : 0U);
    if (S_ISREG(found.st_mode) && (found.st_mode & special) != 0)
      (void)::chmod(path.c_str(), found.st_mode & 07777U & ~special);
    return 0;
  }

  int listener_;
  const seccomp_notif& asked_;
};

}  // namespace

UniqueFd ask_for_owner_changes() {
  if (kArchitecture == 0) return {};
  std::vector<sock_filter> code = {
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      jump_if(kArchitecture, 1, 0),
      statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (std::size_t i = 0; i < kCalls.size(); ++i)
    code.push_back(jump_if(kCalls.at(i), static_cast<std::uint8_t>(kCalls.size() - i), 0));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return UniqueFd(static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)));
}

void answer_owner_change(int listener) {
  seccomp_notif asked{};
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;  // it was killed meanwhile
  seccomp_notif_resp answer{};
  answer.id = asked.id;
  answer.error = -OwnerChange(listener, asked).perform();
  (void)::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

}  // namespace lade::sandbox
