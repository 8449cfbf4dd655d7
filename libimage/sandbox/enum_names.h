/// The specification's words for enumerators; where several name one, the first is written.
#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

template <typename E>
struct EnumNames;

template <>
struct EnumNames<Namespace> {
  static constexpr std::array<std::pair<std::string_view, Namespace>, 8> kNames = {
      {{"pid", Namespace::pid},
       {"network", Namespace::network},
       {"ipc", Namespace::ipc},
       {"uts", Namespace::uts},
       {"mount", Namespace::mount},
       {"cgroup", Namespace::cgroup},
       {"user", Namespace::user},
       {"time", Namespace::time}}};
};

template <>
struct EnumNames<SeccompAction> {
  static constexpr std::array<std::pair<std::string_view, SeccompAction>, 8> kNames = {
      {{"SCMP_ACT_ALLOW", SeccompAction::allow},
       {"SCMP_ACT_ERRNO", SeccompAction::error},
       {"SCMP_ACT_KILL", SeccompAction::kill_thread},
       {"SCMP_ACT_KILL_THREAD", SeccompAction::kill_thread},
       {"SCMP_ACT_KILL_PROCESS", SeccompAction::kill_process},
       {"SCMP_ACT_TRAP", SeccompAction::trap},
       {"SCMP_ACT_LOG", SeccompAction::log},
       {"SCMP_ACT_TRACE", SeccompAction::trace}}};
};

template <>
struct EnumNames<SeccompCompare> {
  static constexpr std::array<std::pair<std::string_view, SeccompCompare>, 7> kNames = {
      {{"SCMP_CMP_NE", SeccompCompare::not_equal},
       {"SCMP_CMP_LT", SeccompCompare::less},
       {"SCMP_CMP_LE", SeccompCompare::less_or_equal},
       {"SCMP_CMP_EQ", SeccompCompare::equal},
       {"SCMP_CMP_GE", SeccompCompare::greater_or_equal},
       {"SCMP_CMP_GT", SeccompCompare::greater},
       {"SCMP_CMP_MASKED_EQ", SeccompCompare::masked_equal}}};
};

template <typename E>
std::optional<E> enum_of(std::string_view name) noexcept {
  for (const auto& [known, value] : EnumNames<E>::kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

template <typename E>
std::string_view name_of(E wanted) noexcept {
  for (const auto& [known, value] : EnumNames<E>::kNames) {
    if (value == wanted) return known;
  }
  return {};
}

}  // namespace lade::sandbox
