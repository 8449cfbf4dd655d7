#include "libimage/sandbox/step_edits.h"

#include <algorithm>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::sandbox {
namespace {

constexpr std::size_t kMaxBelow = 4096;  // devices of a directory
constexpr std::size_t kMaxDepth = 8;

std::string type_word(mode_t mode) {
  if (S_ISCHR(mode)) return "c";
  if (S_ISBLK(mode)) return "b";
  return S_ISFIFO(mode) ? "p" : "";
}

bool is_access(std::string_view text) {
  return !text.empty() && text.find_first_not_of("rwm") == std::string_view::npos;
}

void add_below(const std::string& host, const std::string& path, const std::string& access,
               std::size_t depth, StepEdits& out) {
  for (const std::string& name : list_names(open_dir(host))) {
    const std::string from = cat(host, "/", name);
    struct stat found {};
    if (::lstat(from.c_str(), &found) != 0) continue;
    if (S_ISDIR(found.st_mode) && depth < kMaxDepth)
      add_below(from, cat(path, "/", name), access, depth + 1, out);
    if (!S_ISCHR(found.st_mode) && !S_ISBLK(found.st_mode)) continue;
    if (out.devices.size() == kMaxBelow)
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxBelow, " devices below it"));
    out.devices.push_back({host_device(from, cat(path, "/", name)), access});
  }
}

/// Where one device has less than all access, the control group must refuse what nobody named.
void restrict_access(const StepEdits& edits, RuntimeConfig& step) {
  const bool all = std::all_of(edits.devices.begin(), edits.devices.end(),
                               [](const GrantedDevice& d) { return d.access == "rwm"; });
  const bool begun = step.resources && !step.resources->devices.empty();
  if (all && !begun) return;
  if (!step.resources) step.resources.emplace();
  std::vector<DeviceRule>& rules = step.resources->devices;
  if (!begun) {
    rules.push_back({.allow = false, .access = "rwm"});
    for (const Device& earlier : step.devices)
      rules.push_back({true, earlier.type, earlier.major, earlier.minor, "rwm"});
  }
  for (const GrantedDevice& device : edits.devices) {
    const Device& node = device.node;
    if (node.type == "p") continue;
    rules.push_back({.allow = true,
                     .type = node.type == "b" ? "b" : "c",
                     .major = node.major,
                     .minor = node.minor,
                     .access = device.access});
  }
}

}  // namespace

void apply_edits(const StepEdits& edits, RuntimeConfig& step) {
  for (const GrantedDevice& device : edits.devices) {
    const std::string path = clean_path(device.node.path);
    if (!path.starts_with("dev/"))
      throw Error(Errc::unsupported,
                  cat("device ", quoted(device.node.path), " is not below /dev of the container"));
  }
  restrict_access(edits, step);
  for (const GrantedDevice& device : edits.devices) {
    std::erase_if(step.devices, [&](const Device& d) { return d.path == device.node.path; });
    step.devices.push_back(device.node);
  }
  for (const std::string& variable : edits.env) {
    const std::string_view name = std::string_view(variable).substr(0, variable.find('=') + 1);
    std::erase_if(step.process.env, [&](const std::string& v) { return v.starts_with(name); });
    step.process.env.push_back(variable);
  }
  step.mounts.insert(step.mounts.end(), edits.mounts.begin(), edits.mounts.end());
  const auto add = [](std::vector<Hook>& to, const std::vector<Hook>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  add(step.hooks.prestart, edits.hooks.prestart);
  add(step.hooks.create_runtime, edits.hooks.create_runtime);
  add(step.hooks.create_container, edits.hooks.create_container);
  add(step.hooks.start_container, edits.hooks.start_container);
  add(step.hooks.poststart, edits.hooks.poststart);
  add(step.hooks.poststop, edits.hooks.poststop);
  std::vector<std::uint32_t>& groups = step.process.user.additional_gids;
  for (const std::uint32_t gid : edits.additional_gids) {
    if (std::find(groups.begin(), groups.end(), gid) == groups.end()) groups.push_back(gid);
  }
}

Device host_device(const std::string& host_path, const std::string& path) {
  struct stat found {};
  if (::stat(host_path.c_str(), &found) != 0) throw_errno(cat("device ", quoted(host_path)));
  Device out{.path = path, .type = type_word(found.st_mode)};
  if (out.type.empty())
    throw Error(Errc::invalid_argument, cat("device ", quoted(host_path), ": it is no device"));
  out.major = ::major(found.st_rdev);
  out.minor = ::minor(found.st_rdev);
  out.file_mode = found.st_mode & 07777U;
  out.uid = found.st_uid;
  out.gid = found.st_gid;
  if (host_path != path) out.host_path = host_path;
  return out;
}

StepEdits edits_of_device(const std::string& word) {
  const auto parts = split(word, ':');
  std::string host(parts.front());
  std::string path = host;
  std::string access = "rwm";
  bool good = parts.size() <= 3 && host.starts_with('/');
  if (good && parts.size() == 2 && is_access(parts[1])) {
    access = std::string(parts[1]);
  } else if (good && parts.size() >= 2) {
    path = std::string(parts[1]);
    if (parts.size() == 3) access = std::string(parts[2]);
    good = path.starts_with('/') && is_access(access);
  }
  if (!good)
    throw Error(
        Errc::invalid_argument,
        cat("a device is /HOST[:/CONTAINER][:rwm] or vendor.com/class=name, not ", quoted(word)));
  while (host.size() > 1 && host.ends_with('/')) host.pop_back();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  StepEdits out;
  struct stat found {};
  if (::stat(host.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) {
    add_below(host, path, access, 0, out);
  } else {
    out.devices.push_back({host_device(host, path), access});
  }
  return out;
}

}  // namespace lade::sandbox
