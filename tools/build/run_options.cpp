#include "tools/build/run_options.h"

#include <algorithm>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/run_mount.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/capabilities.h"

#include "tools/common/device_option.h"

namespace lade::tools {
namespace {

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
             std::string_view::npos;
}

/// "name:address" (docker, Buildah) or "name=address"; IPv6 addresses also in brackets.
std::pair<std::string, std::string> host_of(const std::string& word) {
  const std::size_t at = word.find_first_of("=:");
  const std::string name = word.substr(0, at);
  std::string address = at == std::string::npos ? "" : word.substr(at + 1);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  if (!is_host_name(name) || (address != "host-gateway" && !build::is_ip_address(address)))
    throw UsageError(cat("option --add-host takes NAME:ADDRESS, not ", quoted(word)));
  return {name, address};
}

std::uint64_t limit_value(const std::string& text, const std::string& word) {
  if (text == "-1" || text == "unlimited") return std::numeric_limits<std::uint64_t>::max();
  const auto value = parse_decimal(text);
  if (!value) throw UsageError(cat("option --ulimit takes NAME=SOFT[:HARD], not ", quoted(word)));
  return *value;
}

sandbox::Rlimit limit_of(const std::string& word) {
  const std::vector<std::string> known = {
      "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
      "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
  const std::size_t equals = word.find('=');
  std::string name = lower_case(word.substr(0, equals));
  if (name.starts_with("rlimit_")) name.erase(0, 7);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    const auto near = nearest(name, known);
    throw UsageError(cat("option --ulimit: there is no limit ", quoted(name),
                         near ? cat(", did you mean ", *near, "?") : std::string()));
  }
  if (equals == std::string::npos)
    throw UsageError(cat("option --ulimit takes NAME=SOFT[:HARD], not ", quoted(word)));
  const std::string values = word.substr(equals + 1);
  const std::size_t colon = values.find(':');
  const std::uint64_t soft = limit_value(values.substr(0, colon), word);
  const std::uint64_t hard =
      colon == std::string::npos ? soft : limit_value(values.substr(colon + 1), word);
  if (soft > hard) throw UsageError(cat("option --ulimit ", quoted(word), ": soft is above hard"));
  std::string type = "RLIMIT_";
  for (const char c : name) type += static_cast<char>(c - 'a' + 'A');
  return {.type = std::move(type), .soft = soft, .hard = hard};
}

std::string capability_of(std::string_view option, const std::string& word) {
  std::string name;
  for (const char c : word) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
  if (name != "CAP_ALL" && !sandbox::capability_number(name))
    throw UsageError(cat("option --", option, ": there is no capability ", quoted(word)));
  return name;
}

void add_paths(std::vector<std::string>& out, const std::string& text) {
  for (const std::string_view path : split(text, ':')) {
    if (path != "ALL" && !path.starts_with('/'))
      throw UsageError(cat("option --security-opt: ", quoted(path), " is no absolute path"));
    out.push_back(path == "ALL" ? "ALL" : cat("/", clean_path(path)));
  }
}

void set_security(build::RunOptions& options, const std::string& word) {
  const std::size_t equals = word.find_first_of("=:");
  const std::string key = word.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key == "no-new-privileges") {
    options.no_new_privileges = value != "false";
  } else if (key == "seccomp" && !value.empty()) {
    constexpr std::uint64_t max_profile_bytes = std::uint64_t{4} << 20U;
    options.seccomp = value == "unconfined" ? value : read_file(value, max_profile_bytes);
    if (options.seccomp.empty())
      throw UsageError(cat("option --security-opt: the file ", quoted(value), " is empty"));
  } else if (key == "mask" && !value.empty()) {
    add_paths(options.mask, value);
  } else if (key == "unmask" && !value.empty()) {
    add_paths(options.unmask, value);
  } else if (word != "label=disable" && word != "apparmor=unconfined") {
    if (key == "label" || key == "apparmor")
      throw Error(Errc::unsupported,
                  cat("option --security-opt ", quoted(word), " is not implemented"));
    throw UsageError(cat("option --security-opt: unknown option ", quoted(word)));
  }
}

build::RunVolume volume_of(const std::string& word) {
  const auto parts = split(word, ':');
  if (parts.size() < 2 || parts.size() > 3 || !parts[0].starts_with('/') ||
      !parts[1].starts_with('/') || clean_path(parts[1]).empty())
    throw UsageError(cat("option --volume takes /SOURCE:/TARGET[:OPTIONS], not ", quoted(word)));
  build::RunVolume volume{.source = std::string(parts[0]),
                          .target = cat("/", clean_path(parts[1]))};
  for (const std::string_view option : split(parts.size() == 3 ? parts[2] : "rw", ',')) {
    if (option == "ro") {
      volume.readonly = true;
    } else if (option != "rw" && option != "z" && option != "Z") {  // no labels are applied
      throw Error(Errc::unsupported,
                  cat("option --volume: ", quoted(option), " is not implemented"));
    }
  }
  if (!real_path(volume.source))
    throw UsageError(cat("option --volume: there is no ", quoted(volume.source)));
  return volume;
}

void add_servers(const Arguments& arguments, build::RunOptions& options) {
  for (const std::string& word : arguments.values("dns")) {
    for (const std::string_view server : split(word, ',')) {
      if (server != "none" && !build::is_ip_address(std::string(server)))
        throw UsageError(cat("option --dns takes an address or 'none', not ", quoted(server)));
      options.dns.emplace_back(server);
    }
  }
  const auto copy = [&](std::string_view option, std::vector<std::string>& out) {
    for (const std::string& word : arguments.values(option)) {
      if (word.empty() || word.find_first_of(" \t\r\n") != std::string::npos)
        throw UsageError(cat("option --", option, " cannot be ", quoted(word)));
      out.push_back(word);
    }
  };
  copy("dns-search", options.dns_search);
  copy("dns-option", options.dns_options);
  const bool none = std::find(options.dns.begin(), options.dns.end(), "none") != options.dns.end();
  if (none &&
      (options.dns.size() > 1 || !options.dns_search.empty() || !options.dns_options.empty()))
    throw UsageError("option --dns none stands alone");
}

/// "1.5" CPUs as microseconds of a period of 100,000.
std::int64_t quota_of(const std::string& text) {
  constexpr std::uint64_t kPeriod = 100'000;
  const std::size_t point = text.find('.');
  const auto whole = parse_decimal(text.substr(0, point));
  std::string digits = point == std::string::npos ? "" : text.substr(point + 1);
  digits.resize(5, '0');
  const auto fraction = parse_decimal(digits);
  if (!whole || !fraction || *whole > 100'000 || (*whole == 0 && *fraction == 0))
    throw UsageError(cat("option --cpus takes a number such as 1.5, not ", quoted(text)));
  return static_cast<std::int64_t>(*whole * kPeriod + *fraction);
}

std::string set_of_numbers(std::string_view option, const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789,-") != std::string::npos)
    throw UsageError(cat("option --", option, " takes a list such as 0-2,4, not ", quoted(text)));
  return text;
}

void set_limits(const Arguments& arguments, build::RunOptions& options) {
  constexpr std::uint64_t kMost = 1'000'000'000;
  if (const auto size = arguments.value("memory"))
    options.memory.limit = static_cast<std::int64_t>(build::parse_byte_count(*size));
  if (const auto size = arguments.value("memory-swap")) {
    if (!options.memory.limit) throw UsageError("option --memory-swap needs --memory");
    options.memory.swap =
        *size == "-1" ? -1 : static_cast<std::int64_t>(build::parse_byte_count(*size));
    if (*options.memory.swap >= 0 && *options.memory.swap < *options.memory.limit)
      throw UsageError("option --memory-swap is memory and swap together, so at least --memory");
  }
  options.cpu.shares = arguments.number("cpu-shares", 2, 262'144);
  options.cpu.period = arguments.number("cpu-period", 1000, 1'000'000);
  if (const auto quota = arguments.number("cpu-quota", 1000, kMost))
    options.cpu.quota = static_cast<std::int64_t>(*quota);
  if (const auto cpus = arguments.value("cpus")) {
    if (options.cpu.quota || options.cpu.period)
      throw UsageError("option --cpus cannot stand beside --cpu-quota and --cpu-period");
    options.cpu.quota = quota_of(*cpus);
    options.cpu.period = 100'000;
  }
  if (const auto list = arguments.value("cpuset-cpus"))
    options.cpu.cpus = set_of_numbers("cpuset-cpus", *list);
  if (const auto list = arguments.value("cpuset-mems"))
    options.cpu.mems = set_of_numbers("cpuset-mems", *list);
}

/// BuildKit's entitlements.
void allow(const std::string& word, build::RunOptions& options) {
  constexpr std::string_view kDevice = "device=";
  if (word == "security.insecure") {
    options.allow_insecure = true;
  } else if (word == "network.host") {
    options.allow_host_network = true;
  } else if (word == "device") {
    options.allow_devices.insert("*");
  } else if (word.starts_with(kDevice) && word.size() > kDevice.size()) {
    options.allow_devices.insert(word.substr(kDevice.size()));
  } else {
    throw UsageError(
        cat("option --allow is security.insecure, network.host, device or device=NAME, not ",
            quoted(word)));
  }
}

}  // namespace

build::RunOptions read_run_options(const Arguments& arguments) {
  build::RunOptions options;
  if (const auto parent = arguments.value("cgroup-parent")) {
    options.cgroup_parent = clean_path(*parent);
    if (!parent->starts_with('/') || options.cgroup_parent.empty() || parent->ends_with(".slice"))
      throw UsageError(
          cat("option --cgroup-parent takes a path from the root of the hierarchies, "
              "not ",
              quoted(*parent)));
  }
  for (const std::string& word : arguments.values("add-host"))
    options.hosts.push_back(host_of(word));
  add_servers(arguments, options);
  for (const std::string& word : arguments.values("ulimit"))
    options.limits.push_back(limit_of(word));
  if (const auto size = arguments.value("shm-size"))
    options.shm_bytes = build::parse_byte_count(*size);
  for (const std::string& words : arguments.values("cap-add")) {
    for (const std::string_view word : split(words, ','))
      options.add_capabilities.insert(capability_of("cap-add", std::string(word)));
  }
  for (const std::string& words : arguments.values("cap-drop")) {
    for (const std::string_view word : split(words, ','))
      options.drop_capabilities.insert(capability_of("cap-drop", std::string(word)));
  }
  set_limits(arguments, options);
  for (const std::string& word : arguments.values("security-opt")) set_security(options, word);
  for (const std::string& word : arguments.values("volume"))
    options.volumes.push_back(volume_of(word));
  options.device_words = arguments.values("device");
  options.devices = read_devices(options.device_words);
  options.find_device = cdi_finder();
  for (const std::string& word : arguments.values("allow")) allow(word, options);
  return options;
}

}  // namespace lade::tools
