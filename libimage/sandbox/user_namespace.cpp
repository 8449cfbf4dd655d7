#include "libimage/sandbox/user_namespace.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <optional>

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"
#include "libimage/sandbox/id_map.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxIdFile = std::uint64_t{1} << 20U;
constexpr std::string_view kUsualPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

std::string text_of(const std::string& path) {
  try {
    return read_file(path, kMaxIdFile);
  } catch (const Error&) {
    return {};
  }
}

std::string user_name(std::uint32_t uid) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {};
  return found->pw_name;
}

std::string setting(const std::string& name) {
  return std::string(trimmed(text_of(cat("/proc/sys/", name))));
}

/// What forbids new user namespaces, as far as it can be found out, and what would allow them.
std::string why_forbidden(int error) {
  if (error == ENOSPC || error == EUSERS)
    return cat(
        "user.max_user_namespaces is ", setting("user/max_user_namespaces"),
        ": 'sysctl user.max_user_namespaces=15000' allows them, unless they are nested too deeply");
  if (error == EINVAL) return "this kernel has none (CONFIG_USER_NS)";
  if (setting("kernel/unprivileged_userns_clone") == "0")
    return "'sysctl kernel.unprivileged_userns_clone=1' allows it";
  if (setting("kernel/apparmor_restrict_unprivileged_userns") == "1")
    return "AppArmor allows it with 'sysctl kernel.apparmor_restrict_unprivileged_userns=0', or "
           "with a profile for this program that has 'userns,'";
  return "a container around this process forbids it: give that container "
         "'--security-opt seccomp=unconfined', or a seccomp profile that allows unshare and clone";
}

[[noreturn]] void throw_forbidden(int error) {
  throw Error(error == EPERM ? Errc::denied : Errc::unsupported,
              cat("create user namespace, which containers of a user without privileges need: ",
                  errno_text(error), ": ", why_forbidden(error)),
              ErrnoDetail{error});
}

/// The ids of the new namespace: 0 is the user's own, the subordinate ones follow.
std::vector<IdMapping> mappings_of(std::uint32_t own, const std::vector<IdRange>& ranges) {
  std::vector<IdMapping> found = {{.container_id = 0, .host_id = own, .size = 1}};
  std::uint32_t next = 1;
  for (const IdRange& range : ranges) {
    found.push_back({.container_id = next, .host_id = range.first, .size = range.count});
    next += range.count;
  }
  return found;
}

std::uint64_t size_of(const std::vector<IdMapping>& mappings) {
  std::uint64_t size = 0;
  for (const IdMapping& mapping : mappings) size += mapping.size;
  return size;
}

/// The lines of a map (user_namespaces(7)) as numbers.
std::vector<std::vector<std::uint32_t>> numbers_of(const std::string& map_file) {
  std::vector<std::vector<std::uint32_t>> found;
  const std::string text = text_of(map_file);
  for (const std::string_view line : split(text, '\n')) {
    std::vector<std::uint32_t> numbers;
    for (const std::string_view word : split(line, ' ')) {
      if (const auto number = parse_decimal(word); number && *number <= 0xffffffffU)
        numbers.push_back(static_cast<std::uint32_t>(*number));
    }
    if (!numbers.empty()) found.push_back(std::move(numbers));
  }
  return found;
}

/// Every id that this process has, as it is.
std::vector<IdMapping> identity(const std::string& map_file) {
  std::vector<IdMapping> found;
  for (const auto& numbers : numbers_of(map_file)) {
    if (numbers.size() == 3) found.push_back({numbers[0], numbers[0], numbers[2]});
  }
  return found;
}

/// What the helper, which stays behind in the old namespace, is to do.
struct MapPlan {
  std::vector<IdMapping> uids = {};
  std::vector<IdMapping> gids = {};
  std::string newuidmap = {};  ///< "": written directly, by a privileged process
  std::string newgidmap = {};
  std::string why_one = {};  ///< not "": one id, which the process maps itself
};

MapPlan plan_maps(const UserNamespaceOptions& options) {
  MapPlan plan;
  const auto uid = static_cast<std::uint32_t>(::geteuid());
  if (uid == 0) {
    plan.uids = identity("/proc/self/uid_map");
    plan.gids = identity("/proc/self/gid_map");
    return plan;
  }
  const std::string name = user_name(uid);
  const auto uids = subordinate_ranges(text_of(options.subuid), name, uid);
  const auto gids = subordinate_ranges(text_of(options.subgid), name, uid);
  const std::string shown = name.empty() ? cat("uid ", uid) : printable(name);
  if (uids.empty() || gids.empty()) {
    plan.why_one = cat(uids.empty() ? options.subuid : options.subgid, " has no ids for ", shown,
                       " ('usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ",
                       name.empty() ? "USER" : shown, "' gives some)");
    return plan;
  }
  const std::string path = cat(options.search_path, ":", kUsualPath);
  try {
    plan.newuidmap = find_program("newuidmap", path);
    plan.newgidmap = find_program("newgidmap", path);
  } catch (const Error&) {
    plan.why_one = "newuidmap and newgidmap are not installed (package uidmap)";
    return plan;
  }
  plan.uids = mappings_of(uid, uids);
  plan.gids = mappings_of(static_cast<std::uint32_t>(::getegid()), gids);
  return plan;
}

/// "" or what went wrong.
std::string run_map_program(const std::string& program, pid_t process,
                            const std::vector<IdMapping>& mappings) {
  ProgramCall call{.path = program, .args = {cat(process)}};
  for (const IdMapping& mapping : mappings) {
    for (const std::uint32_t number : {mapping.container_id, mapping.host_id, mapping.size})
      call.args.push_back(cat(number));
  }
  const ProgramResult result = run_program(call, {});
  if (result.status == 0) return {};
  return cat(program, ": ", printable(trimmed(result.err)));
}

std::string write_maps(const MapPlan& plan, pid_t process) {
  try {
    if (plan.newuidmap.empty()) {
      write_id_maps(process, plan.uids, plan.gids);
      return {};
    }
    std::string failure = run_map_program(plan.newuidmap, process, plan.uids);
    if (failure.empty()) failure = run_map_program(plan.newgidmap, process, plan.gids);
    return failure;
  } catch (const std::exception& e) {
    return e.what();
  }
}

void write_file(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) throw_errno(cat("write ", path));
}

/// A process that stays in the old namespace, where ids are known that the new one is to have.
class MapHelper {
 public:
  explicit MapHelper(const MapPlan& plan) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw_errno("create socket pair");
    ours_.reset(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("start process");
    if (pid_ > 0) return;
    ours_.reset();
    char go = 0;
    if (::read(theirs.get(), &go, 1) != 1) ::_exit(0);
    const std::string failure = write_maps(plan, parent);
    (void)!::write(theirs.get(), failure.data(), failure.size());
    ::_exit(0);
  }
  MapHelper(const MapHelper&) = delete;
  MapHelper& operator=(const MapHelper&) = delete;
  ~MapHelper() {
    ours_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  /// "" or what went wrong.
  std::string write() {
    (void)!::write(ours_.get(), "g", 1);
    std::string answer;
    std::array<char, 1024> buffer{};
    for (;;) {
      const ssize_t size = ::read(ours_.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return answer;
      answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  UniqueFd ours_;
  pid_t pid_ = -1;
};

}  // namespace

std::vector<IdRange> subordinate_ranges(std::string_view text, std::string_view name,
                                        std::uint32_t uid) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  constexpr std::size_t kMaxRanges = 300;  // the kernel takes 340 lines
  std::vector<IdRange> found;
  std::uint64_t total = 1;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, ':');
    if (fields.size() != 3 || fields[0].empty()) continue;
    if (fields[0] != name && parse_decimal(fields[0]) != std::optional<std::uint64_t>(uid))
      continue;
    const auto first = parse_decimal(fields[1]);
    const auto count = parse_decimal(trimmed(fields[2]));
    if (!first || !count || *count == 0 || *first > kMost || *count > kMost - *first) continue;
    total += *count;
    if (total > kMost || found.size() == kMaxRanges) break;
    found.push_back({static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*count)});
  }
  return found;
}

bool needs_user_namespace() {
  if (::geteuid() != 0) return true;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data[0].effective >> static_cast<unsigned>(CAP_SYS_ADMIN) & 1U) == 0;
}

bool in_user_namespace() {
  const auto map = numbers_of("/proc/self/uid_map");
  return map != std::vector<std::vector<std::uint32_t>>{{0, 0, 4294967295U}};
}

bool has_one_id() {
  const auto map = numbers_of("/proc/self/uid_map");
  return map.size() == 1 && map[0].size() == 3 && map[0][2] == 1;
}

UserNamespace enter_user_namespace(const UserNamespaceOptions& options) {
  const MapPlan plan = plan_maps(options);
  UserNamespace made{.ids = 1, .why_one = plan.why_one};
  const std::string own_uid = cat("0 ", ::geteuid(), " 1\n");
  const std::string own_gid = cat("0 ", ::getegid(), " 1\n");
  {
    std::optional<MapHelper> helper;
    if (plan.why_one.empty()) helper.emplace(plan);
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) throw_forbidden(errno);
    if (helper) {
      made.why_one = helper->write();
      if (made.why_one.empty()) made.ids = size_of(plan.uids);
    }
  }
  if (!made.why_one.empty()) {
    const bool has_uids = !trimmed(text_of("/proc/self/uid_map")).empty();
    if (!has_uids) write_file("/proc/self/uid_map", own_uid);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/gid_map", own_gid);
  }
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    throw_errno("become root of the user namespace");
  return made;
}

}  // namespace lade::sandbox
