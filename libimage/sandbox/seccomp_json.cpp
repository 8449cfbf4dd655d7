#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <nlohmann/json.hpp>
#include <sys/utsname.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/enum_names.h"
#include "libimage/sandbox/seccomp_filter.h"

namespace lade::sandbox {
namespace {

using Json = nlohmann::json;

#if defined(__x86_64__)
constexpr std::string_view kMachine = "amd64";
constexpr std::string_view kNative = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kMachine = "arm64";
constexpr std::string_view kNative = "SCMP_ARCH_AARCH64";
#endif
constexpr std::size_t kMaxArguments = 6;  // of a system call

[[noreturn]] void fail(std::string_view message) {
  throw Error(Errc::invalid_content, cat("seccomp profile: ", message));
}

const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const Json& value, std::string_view what) {
  if (!value.is_string()) fail(cat(what, " is not a string"));
  return value.get<std::string>();
}

std::uint64_t number_of(const Json& value, std::string_view what) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  fail(cat(what, " is not a number of 64 bits"));
}

std::vector<std::string> texts_of(const Json& object, const char* name) {
  std::vector<std::string> texts;
  const Json* list = member(object, name);
  if (list == nullptr) return texts;
  if (!list->is_array()) fail(cat(name, " is not a list"));
  for (const Json& value : *list) texts.push_back(text_of(value, name));
  return texts;
}

SeccompAction action_of(const std::string& name) {
  if (const auto action = enum_of<SeccompAction>(name)) return *action;
  if (name == "SCMP_ACT_NOTIFY") {
    throw Error(Errc::unsupported, cat("seccomp profile: action ", name, " is not supported"));
  }
  fail(cat("action ", lade::quoted(name), " is unknown"));
}

SeccompCompare compare_of(const std::string& name) {
  if (const auto compare = enum_of<SeccompCompare>(name)) return *compare;
  fail(cat("comparison ", lade::quoted(name), " is unknown"));
}

std::uint16_t error_of(const Json& object, const char* number_name, const char* text_name,
                       std::uint16_t otherwise) {
  if (const Json* number = member(object, number_name)) {
    const std::uint64_t value = number_of(*number, number_name);
    if (value > 4095) fail(cat(number_name, " is no errno"));  // MAX_ERRNO
    return static_cast<std::uint16_t>(value);
  }
  const Json* text = member(object, text_name);
  if (text == nullptr || text_of(*text, text_name).empty()) return otherwise;
  const std::string name = text_of(*text, text_name);
  for (std::uint16_t value = 1; value < 256; ++value) {
    const char* known = ::strerrorname_np(value);
    if (known != nullptr && name == known) return value;
  }
  fail(cat(text_name, " ", lade::quoted(name), " is no errno"));
}

/// "4.8" against the running kernel's release.
bool kernel_is_at_least(const std::string& wanted) {
  const auto numbers = [](std::string_view text) {
    std::array<std::uint64_t, 2> found{};
    const std::vector<std::string_view> pieces = split(text, '.');
    for (std::size_t i = 0; i < found.size() && i < pieces.size(); ++i) {
      const std::string_view digits =
          pieces[i].substr(0, pieces[i].find_first_not_of("0123456789"));
      found.at(i) = parse_decimal(digits).value_or(0);
    }
    return found;
  };
  utsname running{};
  if (::uname(&running) != 0) throw_errno("seccomp profile: read the kernel's release");
  return numbers(running.release) >= numbers(wanted);
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool applies(const Json& rule, const Capabilities& capabilities) {
  const auto held = [&](const std::string& name) { return capabilities.contains(name); };
  if (const Json* includes = member(rule, "includes")) {
    if (!includes->is_object()) fail("includes is not an object");
    const auto arches = texts_of(*includes, "arches");
    const auto caps = texts_of(*includes, "caps");
    if (!arches.empty() && !contains(arches, kMachine)) return false;
    if (!std::all_of(caps.begin(), caps.end(), held)) return false;
    const Json* kernel = member(*includes, "minKernel");
    if (kernel != nullptr && !kernel_is_at_least(text_of(*kernel, "minKernel"))) return false;
  }
  if (const Json* excludes = member(rule, "excludes")) {
    if (!excludes->is_object()) fail("excludes is not an object");
    const auto caps = texts_of(*excludes, "caps");
    if (contains(texts_of(*excludes, "arches"), kMachine)) return false;
    if (std::any_of(caps.begin(), caps.end(), held)) return false;
    const Json* kernel = member(*excludes, "minKernel");
    if (kernel != nullptr && kernel_is_at_least(text_of(*kernel, "minKernel"))) return false;
  }
  return true;
}

std::vector<SeccompArgument> arguments_of(const Json& rule) {
  std::vector<SeccompArgument> arguments;
  const Json* list = member(rule, "args");
  if (list == nullptr) return arguments;
  if (!list->is_array() || list->size() > kMaxArguments) fail("args is not a list of at most 6");
  for (const Json& value : *list) {
    if (!value.is_object()) fail("an argument is not an object");
    const Json* index = member(value, "index");
    const Json* wanted = member(value, "value");
    const Json* second = member(value, "valueTwo");
    const Json* compare = member(value, "op");
    if (index == nullptr || compare == nullptr) fail("an argument lacks its index or op");
    const std::uint64_t position = number_of(*index, "index");
    if (position >= kMaxArguments) fail("an argument's index is above 5");
    arguments.push_back({static_cast<unsigned>(position),
                         wanted != nullptr ? number_of(*wanted, "value") : 0,
                         second != nullptr ? number_of(*second, "valueTwo") : 0,
                         compare_of(text_of(*compare, "op"))});
  }
  return arguments;
}

SeccompRule rule_of(const Json& value) {
  SeccompRule rule;
  rule.names = texts_of(value, "names");
  if (const Json* name = member(value, "name")) rule.names.push_back(text_of(*name, "name"));
  const Json* action = member(value, "action");
  if (action == nullptr) fail("a rule has no action");
  rule.action = action_of(text_of(*action, "action"));
  const std::uint16_t error = error_of(value, "errnoRet", "errno", 1);
  if (rule.action == SeccompAction::error || rule.action == SeccompAction::trace)
    rule.error = error;  // crun refuses one of another action
  rule.arguments = arguments_of(value);
  return rule;
}

std::vector<std::string> architectures_of(const Json& profile) {
  std::vector<std::string> list = texts_of(profile, "architectures");
  const Json* map = member(profile, "archMap");
  if (map == nullptr) return list;
  if (!map->is_array()) fail("archMap is not a list");
  for (const Json& entry : *map) {
    if (!entry.is_object()) fail("an entry of archMap is not an object");
    const Json* architecture = member(entry, "architecture");
    if (architecture == nullptr || text_of(*architecture, "architecture") != kNative) continue;
    for (std::string& sub : texts_of(entry, "subArchitectures")) list.push_back(std::move(sub));
  }
  return list;
}

}  // namespace

SeccompRules parse_seccomp_profile(std::string_view json, const Capabilities& capabilities) {
  const Json profile = Json::parse(json, nullptr, false);
  if (!profile.is_object()) fail("is not a JSON object");
  SeccompRules rules;
  const Json* action = member(profile, "defaultAction");
  if (action == nullptr) fail("has no defaultAction");
  rules.default_action = action_of(text_of(*action, "defaultAction"));
  rules.default_error = error_of(profile, "defaultErrnoRet", "defaultErrno", 1);
  for (const char* refused : {"listenerPath", "listenerMetadata"}) {
    if (member(profile, refused) != nullptr) {
      throw Error(Errc::unsupported, cat("seccomp profile: ", refused, " is not supported"));
    }
  }
  rules.flags = texts_of(profile, "flags");
  (void)seccomp_flags(rules.flags);
  rules.architectures = architectures_of(profile);
  if (const Json* list = member(profile, "syscalls")) {
    if (!list->is_array()) fail("syscalls is not a list");
    for (const Json& value : *list) {
      if (!value.is_object()) fail("a rule is not an object");
      if (applies(value, capabilities)) rules.rules.push_back(rule_of(value));
    }
  }
  return rules;
}

}  // namespace lade::sandbox
