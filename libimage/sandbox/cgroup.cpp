#include "libimage/sandbox/cgroup.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/device_filter.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20;
constexpr int kRemoveTries = 200;  // of 5 ms: an ended process leaves its groups a little later
constexpr std::size_t kMaxDepth = 64;

/// errno, 0 if all is written.
int write_control(const std::string& path, std::string_view value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  ssize_t written = 0;
  do {
    written = ::write(file.get(), value.data(), value.size());
  } while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

std::string read_control(const std::string& path) {
  try {
    return read_file(path, kMaxFileBytes);
  } catch (const Error&) {
    return {};
  }
}

/// Words of `text` between `separator`s, empty ones left out.
std::vector<std::string> words(std::string_view text, char separator) {
  std::vector<std::string> found;
  for (const std::string_view word : split(text, separator)) {
    if (!trimmed(word).empty()) found.emplace_back(trimmed(word));
  }
  return found;
}

/// This process's group by hierarchy: "" for version 2, else the controllers as they are listed.
std::map<std::string, std::string> own_groups() {
  std::map<std::string, std::string> found;
  const std::string text = read_control("/proc/self/cgroup");
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    found[std::string(line.substr(first + 1, second - first - 1))] = line.substr(second + 1);
  }
  return found;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& word : list) text += cat(text.empty() ? "" : ",", word);
  return text;
}

/// A line of mountinfo (proc(5)): id, parent, device, root, mount point, options ... - type,
/// source, super options.
void add_hierarchy(std::string_view line, const std::map<std::string, std::string>& own,
                   std::vector<Hierarchy>& found) {
  const std::vector<std::string> fields = words(line, ' ');
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (fields.size() < 10 || fields.end() - dash < 4) return;
  const std::string& type = dash[1];
  if (type != "cgroup" && type != "cgroup2") return;
  Hierarchy made{.mount = fields[4], .unified = type == "cgroup2"};
  if (made.unified) {
    made.controllers = words(read_control(cat(made.mount, "/cgroup.controllers")), ' ');
  } else {
    for (const std::string& word : words(dash[3], ',')) {
      const bool general = word == "rw" || word == "ro" || word == "xattr" || word == "noprefix" ||
                           word == "clone_children" || word.rfind("release_agent", 0) == 0;
      if (!general) made.controllers.push_back(word);
    }
  }
  const auto mine = own.find(made.unified ? std::string() : joined(made.controllers));
  if (mine == own.end()) return;
  made.own = mine->second;
  const std::string& root = fields[3];
  if (root != "/" && made.own.rfind(root, 0) == 0) made.own.erase(0, root.size());
  if (made.own.empty()) made.own = "/";
  found.push_back(std::move(made));
}

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// A new cpuset takes no process before it has processors and memory: those of its parent.
void inherit_cpuset(const std::string& parent, const std::string& made) {
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (!trimmed(read_control(made + file)).empty()) continue;
    (void)write_control(made + file, trimmed(read_control(parent + file)));
  }
}

/// Version 2: controllers work where the group above passes them on.
void pass_on(const std::string& group, const std::vector<std::string>& controllers) {
  for (const std::string& controller : controllers) {
    (void)write_control(group + "/cgroup.subtree_control", cat("+", controller));
  }
}

std::string make_groups(const Hierarchy& hierarchy, const std::string& path) {
  const std::string relative =
      clean_path(path.front() == '/' ? path : cat(hierarchy.own, "/", path));
  std::string at = hierarchy.mount;
  for (const std::string& piece : words(relative, '/')) {
    const std::string parent = at;
    at += cat("/", piece);
    if (hierarchy.unified) pass_on(parent, hierarchy.controllers);
    if (::mkdir(at.c_str(), 0755) != 0 && errno != EEXIST) {
      throw_errno(cat("create control group ", quoted(at)));
    }
    if (has(hierarchy.controllers, "cpuset") && !hierarchy.unified) inherit_cpuset(parent, at);
  }
  return at;
}

void for_each_group_below(const std::string& path, std::size_t depth,
                          const std::function<void(const std::string&)>& visit) {
  if (depth > kMaxDepth) return;
  try {
    const DirFd dir = open_dir(path);
    for (const std::string& name : list_names(dir)) {
      const auto found = stat_entry(dir, name);
      if (found && S_ISDIR(found->st_mode))
        for_each_group_below(cat(path, "/", name), depth + 1, visit);
    }
  } catch (const Error&) {  // gone meanwhile
  }
  visit(path);
}

std::string rule_text(const DeviceRule& rule) {
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value && *value >= 0 ? cat(*value) : std::string("*");
  };
  return cat(rule.type.empty() ? "a" : rule.type, " ", number(rule.major), ":", number(rule.minor),
             " ", rule.access.empty() ? "rwm" : rule.access);
}

}  // namespace

std::vector<Hierarchy> find_hierarchies() {
  const std::map<std::string, std::string> own = own_groups();
  std::vector<Hierarchy> found;
  const std::string mounts = read_control("/proc/self/mountinfo");
  for (const std::string_view line : split(mounts, '\n')) {
    add_hierarchy(line, own, found);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Hierarchy& a, const Hierarchy& b) { return !a.unified && b.unified; });
  return found;
}

Cgroup Cgroup::create(const std::string& path, const std::set<std::string>* controllers) {
  if (clean_path(path).empty()) {
    throw Error(Errc::invalid_argument, cat("control group ", quoted(path), " is the root"));
  }
  Cgroup made;
  for (const Hierarchy& hierarchy : find_hierarchies()) {
    const auto wanted = [&](const std::string& name) { return controllers->contains(name); };
    const bool devices =
        hierarchy.unified && controllers != nullptr && controllers->contains("devices");
    if (controllers != nullptr && !devices &&
        std::none_of(hierarchy.controllers.begin(), hierarchy.controllers.end(), wanted)) {
      continue;
    }
    try {
      made.groups_.push_back(
          {make_groups(hierarchy, path), hierarchy.controllers, hierarchy.unified});
    } catch (const Error&) {
      (void)made.remove();
      throw;
    }
  }
  return made;
}

Cgroup Cgroup::from_paths(const std::map<std::string, std::string>& paths) {
  Cgroup found;
  for (const auto& [controllers, path] : paths) {
    const bool unified = controllers.rfind("unified", 0) == 0;
    found.groups_.push_back(
        {path, unified ? words(controllers.substr(7), ',') : words(controllers, ','), unified});
  }
  return found;
}

std::map<std::string, std::string> Cgroup::paths() const {
  std::map<std::string, std::string> found;
  for (const Group& group : groups_) {
    found[cat(group.unified ? "unified," : "", joined(group.controllers))] = group.path;
  }
  return found;
}

const Cgroup::Group* Cgroup::with(std::string_view controller) const noexcept {
  for (const Group& group : groups_) {
    if (has(group.controllers, controller)) return &group;
  }
  return nullptr;
}

void Cgroup::apply(const Resources& resources, Failure failure,
                   const std::function<void(const std::string&)>& tell) const {
  const auto failed = [&](const std::string& what, int error) {
    if (failure == Failure::is_error) throw_errno(what, error);
    tell(cat(what, ": ", errno_text(error)));
  };
  for (const CgroupVersion version : {CgroupVersion::v1, CgroupVersion::v2}) {
    for (const CgroupSetting& setting : settings_of(resources, version)) {
      const Group* group = with(setting.controller);
      if (group != nullptr && group->unified != (version == CgroupVersion::v2)) continue;
      const std::string what = cat("set ", setting.file, " to ", quoted(setting.value));
      if (group == nullptr) {
        // Said once: by version 1's name where neither has the controller.
        if (version == CgroupVersion::v1 || !resources.unified.empty()) {
          const std::string other = setting.controller == "blkio" ? "io" : setting.controller;
          if (with(other) == nullptr) failed(what, ENOENT);
        }
        continue;
      }
      const int error = write_control(cat(group->path, "/", setting.file), setting.value);
      if (error != 0) failed(what, error);
    }
  }
  if (resources.devices.empty()) return;
  const std::vector<DeviceRule> rules = all_device_rules(resources.devices);
  if (const Group* group = with("devices")) {
    for (const DeviceRule& rule : rules) {
      const char* file = rule.allow ? "/devices.allow" : "/devices.deny";
      const int error = write_control(group->path + file, rule_text(rule));
      if (error != 0) failed(cat("set ", file + 1, " to ", quoted(rule_text(rule))), error);
    }
    return;
  }
  for (const Group& group : groups_) {
    if (!group.unified) continue;
    const int error = attach_device_filter(group.path, rules);
    if (error != 0) failed("restrict devices", error);
    return;
  }
  failed("restrict devices", ENOENT);
}

void Cgroup::add(pid_t process) const {
  for (const Group& group : groups_) {
    const int error = write_control(group.path + "/cgroup.procs", cat(process));
    if (error != 0) throw_errno(cat("enter control group ", quoted(group.path)), error);
  }
}

std::vector<UniqueFd> Cgroup::entrances() const {
  std::vector<UniqueFd> files;
  for (const Group& group : groups_) {
    const std::string path = group.path + "/cgroup.procs";
    files.emplace_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!files.back()) throw_errno(cat("open ", quoted(path)));
  }
  return files;
}

std::vector<pid_t> Cgroup::processes() const {
  std::set<pid_t> found;
  // One of them says it all; the first that is there.
  for (const Group& group : groups_) {
    for_each_group_below(group.path, 0, [&](const std::string& path) {
      for (const std::string& word : words(read_control(path + "/cgroup.procs"), '\n')) {
        if (const auto pid = parse_decimal(word)) found.insert(static_cast<pid_t>(*pid));
      }
    });
    break;
  }
  return {found.begin(), found.end()};
}

void Cgroup::signal_all(int signal) const {
  if (signal == SIGKILL) {
    for (const Group& group : groups_) {
      if (group.unified && write_control(group.path + "/cgroup.kill", "1") == 0) return;
    }
  }
  for (int round = 0; round < 100; ++round) {
    const std::vector<pid_t> all = processes();
    for (const pid_t pid : all) (void)::kill(pid, signal);
    if (signal != SIGKILL || all.empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Cgroup::set_state(State state) const {
  if (const Group* group = with("freezer")) {
    const std::string file = group->path + "/freezer.state";
    const std::string_view wanted = state == State::frozen ? "FROZEN" : "THAWED";
    for (int round = 0; round < 1000; ++round) {
      if (const int error = write_control(file, wanted); error != 0) {
        throw_errno("change the freezer's state", error);
      }
      if (trimmed(read_control(file)) == wanted) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    throw Error(Errc::unavailable, "its processes do not freeze");
  }
  for (const Group& group : groups_) {
    if (!group.unified) continue;
    const int error =
        write_control(group.path + "/cgroup.freeze", state == State::frozen ? "1" : "0");
    if (error != 0) throw_errno("change the freezer's state", error);
    return;
  }
  throw Error(Errc::unsupported, "no freezer is mounted");
}

Cgroup::State Cgroup::state() const {
  if (const Group* group = with("freezer")) {
    const std::string text = read_control(group->path + "/freezer.state");
    return trimmed(text) == "THAWED" || text.empty() ? State::running : State::frozen;
  }
  for (const Group& group : groups_) {
    if (!group.unified) continue;
    return trimmed(read_control(group.path + "/cgroup.freeze")) == "1" ? State::frozen
                                                                       : State::running;
  }
  return State::running;
}

bool Cgroup::remove() const noexcept {
  bool gone = true;
  for (const Group& group : groups_) {
    int error = 0;
    for (int round = 0; round < kRemoveTries; ++round) {
      error = 0;
      try {
        for_each_group_below(group.path, 0, [&](const std::string& path) {
          if (::rmdir(path.c_str()) != 0 && errno != ENOENT) error = errno;
        });
      } catch (const std::exception&) {
        error = EIO;
      }
      if (error != EBUSY) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    gone = gone && error == 0;
  }
  return gone;
}

}  // namespace lade::sandbox
